"""How a lesson's answers look: text for a terminal, HTML that suits light and dark themes, or a widget."""

from __future__ import annotations

import html
import re
from typing import Any

__all__ = ["VIEW", "card", "markup", "sentence", "shown"]

VIEW = "application/vnd.jupyter.widget-view+json"
TONES = {"right": "#1b8a5a", "wrong": "#c4501b", "plain": "#7f7f7f"}


def markup(text: str) -> str:
    """Text made safe for HTML, with `code` between backticks set as code.

    Example:
        >>> markup("`a` < b")
        '<code>a</code> &lt; b'
    """
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def sentence(text: str, *, bold: bool = False) -> str:
    """A line of text for an HTML widget, spaced so that it may wrap.

    Example:
        >>> sentence("a", bold=True)
        '<div style="line-height: 1.5"><strong>a</strong></div>'
    """
    words = f"<strong>{markup(text)}</strong>" if bold else markup(text)
    return f'<div style="line-height: 1.5">{words}</div>'


def card(title: str, *paragraphs: str, tone: str = "plain") -> str:
    """A box with a colored edge. The words carry the meaning, the color only repeats it.

    Args:
        title: first line, in bold; plain text.
        paragraphs: plain text, empty ones are left out.
        tone: ``"right"``, ``"wrong"`` or ``"plain"``.

    Returns:
        HTML.

    Example:
        >>> "<strong>Right</strong>" in card("Right", "It is.", tone="right")
        True
    """
    lines = "".join(f"<div>{markup(p)}</div>" for p in paragraphs if p)
    style = f"border-left: 4px solid {TONES[tone]}; padding: 2px 0 2px 12px; line-height: 1.5"
    return f'<div role="status" style="{style}"><strong>{markup(title)}</strong>{lines}</div>'


def shown(text: str, as_html: str, widget: Any = None) -> dict[str, Any]:
    """What a notebook stores and shows: a widget where there is a manager for it, else HTML, else text.

    Args:
        text: the same words as plain text.
        as_html: HTML for pages without a widget manager.
        widget: an ipywidgets widget, or None.

    Returns:
        A MIME bundle for ``_repr_mimebundle_``.

    Example:
        >>> shown("a", "<b>a</b>")
        {'text/plain': 'a', 'text/html': '<b>a</b>'}
    """
    bundle: dict[str, Any] = {"text/plain": text, "text/html": as_html}
    if widget is not None:
        bundle[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return bundle
