"""The words on the page, apart from the code, so that a second language can be added."""

from __future__ import annotations

__all__ = ["COMMON", "SCHEDULES", "SCHEDULE_LAB"]

COMMON = {
    "add": "+ add {item}",
    "remove": "remove",
    "pin": "pin",
    "pin_tip": "Keep these curves as gray ghosts behind the next ones",
    "clear": "clear",
    "clear_tip": "Take the ghosts away",
    "reset": "reset",
    "reset_tip": "Go back to where this explorer started",
    "stop": "stop",
    "stop_tip": "Stop training; the curves so far stay",
    "copy": "copy as code",
    "copy_tip": "Show one line of Python that makes this picture again",
    "save": "save",
    "save_tip": "Write the pictures (PNG, SVG) and the data (CSV) into the folder of this notebook",
    "saved": "Saved {files} in {folder}.",
    "stopped": "Stopped after {seconds}. Move a slider to train again.",
    "no_verdict": "No verdict: stopped before the end.",
    "copied": "Select and copy (Ctrl-C).",
    "shared": "settings",
    "custom": "own",
    "back_tip": "One step back",
    "next_tip": "One step on",
    "speed": "speed",
    "speed_slow": "slow",
    "speed_normal": "normal",
    "speed_fast": "fast",
    "gap": "{points:+.1f} ± {half:.1f} points",
    "gap_alone": "{points:+.1f} points",
    "gap_none": "no difference",
    "point": "Press or drag in this picture to set {names}; the arrow keys move it too.",
}

SCHEDULE_LAB = COMMON | {
    "file": "learning-rate-schedules",
    "copied": (
        "Select and copy (Ctrl-C). In a new notebook, first: from optviz import problems, schedule_lab; "
        "from optviz.optimizers import *; from optviz.schedules import *"
    ),
    "title": "Learning-rate schedules, live",
    "shared": "data · network · training",
    "cards": "schedules",
    "item": "a schedule",
    "kind": "kind",
    "warmup": "warm-up",
    "rates_title": "Learning rate per update",
    "rates_y": "learning rate",
    "loss_title": "Training loss, smoothed",
    "loss_y": "cross-entropy (nats)",
    "accuracy_title": "Validation accuracy",
    "accuracy_y": "correct",
    "update": "update",
    "training": "training …",
    "tuning": "trying {count} peak rates for each schedule …",
    "tuned": "Own best peak rate of {count} tried, by validation loss: {found}.",
    "edge": " At the edge of the range tried: {labels}.",
    "done": "{seconds}: trained {fresh} networks × {steps} updates",
    "remembered": ", remembered {known} from before",
    "diverged": "{label} (diverged)",
    "band": ", band: 95 % interval",
}

# What a schedule is called in a menu and at the end of its curve. One that is missing is called by its class.
SCHEDULES = {
    "Constant": "constant",
    "Linear": "linear",
    "StepDecay": "step",
    "MultiStep": "multi-step",
    "Exponential": "exponential",
    "InverseTime": "inverse time",
    "InverseSqrt": "inverse √",
    "Polynomial": "polynomial",
    "Cosine": "cosine",
    "WarmRestarts": "warm restarts",
    "Triangular": "triangular",
    "OneCycle": "one-cycle",
    "Noam": "Noam",
    "WarmupStableDecay": "warm-up–stable–decay",
}
