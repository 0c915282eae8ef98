"""How good is it, and how sure are we: accuracy, intervals, tests, and a verdict in words."""

from optviz.evaluation.calibration import Reliability, calibration_error, reliability
from optviz.evaluation.classes import ClassScores, class_scores, confusion, over_batches, top_k_accuracy
from optviz.evaluation.intervals import Paired, accuracy, holm, holm_paired, paired, seed_interval, wilson
from optviz.evaluation.resampling import bootstrap
from optviz.evaluation.symptoms import Diagnosis, diagnosis
from optviz.evaluation.verdicts import Verdict, verdict

__all__ = [
    "ClassScores",
    "Diagnosis",
    "Paired",
    "Reliability",
    "Verdict",
    "accuracy",
    "bootstrap",
    "calibration_error",
    "class_scores",
    "confusion",
    "diagnosis",
    "holm",
    "holm_paired",
    "over_batches",
    "paired",
    "reliability",
    "seed_interval",
    "top_k_accuracy",
    "verdict",
    "wilson",
]
