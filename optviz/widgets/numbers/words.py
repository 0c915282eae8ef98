"""The words of the number explorer."""

from __future__ import annotations

from optviz.widgets.words import COMMON

__all__ = ["WORDS"]

WORDS = COMMON | {
    "file": "number-line",
    "title": "A number in few bits, live",
    "copied": "Select and copy (Ctrl-C). In a new notebook, first: from optviz import number_lab",
    "shared": "the value and its code",
    "line_title": "x, the level x̂ where it lands, and all levels with integers (shaded: outside the code)",
    "line_x": "value (drag here)",
    "row_x": "x",
    "row_back": "x̂",
    "row_levels": "levels",
    "zero": "Z = {zero}",
    "stairs_title": "What comes back",
    "stairs_x": "x (drag here)",
    "stairs_y": "x̂",
    "from": "from",
    "to": "to",
    "error_title": "Error x̂ − x",
    "error_y": "error",
    "half": "s/2",
    "minus_half": "−s/2",
    "bits_title": "The bits of q = {code}: {pattern}",
    "bits_x": "what a 1 at this place adds",
    "bits_y": "bit",
    "line_said": (
        "{count} levels from {first:.4g} to {last:.4g}, {scale:.4g} apart; Z = {zero} stands for 0. "
        "x = {x:.4g} lands on {value:.4g}, the integer {code}."
    ),
    "widened": (
        " The range {low:g} … {high:g} doesn't hold 0, so it is widened to {new_low:g} … {new_high:g}."
    ),
    "stairs_said": "x̂ = s · (q − Z) = {scale:.4g} · ({code} − {zero}) = {value:.4g}.",
    "rounding_said": (
        "Error {error:+.4g}, from rounding. From {low:.4g} to {high:.4g} it is at most s/2 = {half:.4g}."
    ),
    "clipping_said": (
        "Error {error:+.4g}, from clipping: x is {beyond:.4g} beyond the last level, and the error grows as "
        "it does. Only from {low:.4g} to {high:.4g} is it at most s/2 = {half:.4g}."
    ),
    "wrapping_said": (
        "Error {error:+.4g}, from wrapping: what leaves the code, {low:.4g} … {high:.4g}, at one end comes "
        "back at the other."
    ),
    "bits_said": "q = {code} is {pattern} in {bits} bits{how}: {sum}.",
    "twos": " (two's complement: the first place counts negative)",
    "no_ones": "no place has a 1",
    "scale_affine": (
        "s = ({high:.4g} − {low}) / {top} = {scale:.4g}, Z = round({minus:.4g} / {scale:.4g}) = {zero}."
    ),
    "scale_symmetric": "s = {most:.4g} / {top} = {scale:.4g}, Z = 0.",
    "scale_open": (
        "s = ({high:.4g} − {low}) / {top} = {scale:.4g}, Z = round({minus:.4g} / {scale:.4g}) = {wanted}"
        "{none}; so the levels are from {first:.4g} to {last:.4g}, not from {low} to {high:.4g}{all}."
    ),
    "none": ", which the code doesn't have: {zero} instead",
    "all": ", and whatever is in the range lands on {landing:.4g}",
    "formula": (
        "q = clamp(round({x:.4g} / {scale:.4g}) + {zero}, {q_low}, {q_high}) = clamp({raw}, {q_low}, "
        "{q_high}) = {code}."
    ),
    "formula_cast": (
        "Cast first: round({x:.4g} / {scale:.4g}) + {zero} = {raw} doesn't fit into {bits} bits and wraps to "
        "{code}; clamped first, it would be {right}."
    ),
    "same_cast": (
        "q = round({x:.4g} / {scale:.4g}) + {zero} = {code}, inside the code: the early cast does no harm "
        "until x leaves it."
    ),
    "same_open": " The range holds 0: nothing needs to be widened.",
    "outcome": (
        "x = {x:.4g} becomes the integer {code}, and {value:.4g} comes back: an error of {error:+.3g}, "
        "from {why}. "
    ),
    "rounding": "rounding",
    "clipping": "clipping",
    "wrapping": "wrapping",
    "done": "computed in {seconds}",
}
