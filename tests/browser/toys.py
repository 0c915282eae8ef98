"""Small notebooks of plain ipywidgets: to try the machinery on, and to measure optviz against."""

from __future__ import annotations

__all__ = ["ECHO", "INTERACT", "STREAM"]

# The floor: a slider, the kernel, a label. Nothing is drawn.
ECHO = """
import ipywidgets as w
echo = w.FloatSlider(value=0.5, min=0.0, max=1.0, step=0.001, description="echo")
echoed = w.Label("start")
echo.add_class("toy-echo"); echoed.add_class("toy-echo-label")
echo.observe(lambda change: setattr(echoed, "value", f"{change.new:.4f}"), "value")
w.VBox([echo, echoed])
"""

# What tutorials do: a new figure for every move. The five curves are those of the flagship's rate panel.
INTERACT = """
%matplotlib inline
import matplotlib.pyplot as plt, numpy as np, ipywidgets as w
from optviz import schedules as s
def draw(lr=0.3):
    steps = np.arange(500)
    fig, ax = plt.subplots(figsize=(6.4, 4.0))
    for curve in (s.Cosine(lr, 500), s.StepDecay(lr, 100, 0.5), s.Linear(lr, 500),
                  s.Exponential(lr, 0.99), s.OneCycle(lr, 500)):
        ax.plot(steps, curve(steps), label=type(curve).__name__)
    ax.set(xlabel="update", ylabel="learning rate", ylim=(0, 1.05))
    ax.legend()
    plt.show()
box = w.interactive(draw, lr=w.FloatSlider(value=0.5, min=0.01, max=1.0, step=0.001))
box.add_class("toy-interact"); box.children[0].add_class("toy-interact-slider")
box
"""

# A task in the kernel's loop sends picture after picture; the next move cancels it.
STREAM = """
import asyncio, io, time, numpy as np, ipywidgets as w
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
fig = Figure(figsize=(4.5, 3.2), dpi=100); canvas = FigureCanvasAgg(fig)
(line,) = fig.subplots().plot([0, 100], [0, 1])
slider = w.FloatSlider(value=0.5, min=0.0, max=1.0, step=0.01, description="rate")
image = w.Image(format="png"); slider.add_class("toy-slider"); image.add_class("toy-image")
tasks, cancelled, finished = [], [], []
def send(k):
    t = np.arange(k + 1)
    line.set_data(t, np.exp(-slider.value * t / 10)); out = io.BytesIO()
    canvas.print_png(out); image.value = out.getvalue()
async def stream():
    try:
        for k in range(5, 101, 5):
            send(k); await asyncio.sleep(0.02)
        finished.append(slider.value)
    except asyncio.CancelledError:
        cancelled.append(slider.value); raise
def moved(change):
    for task in tasks: task.cancel()
    tasks[:] = [asyncio.get_running_loop().create_task(stream())]
slider.observe(moved, "value"); send(100)
w.VBox([slider, image])
"""
