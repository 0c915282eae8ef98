"""What trains in several phases, or many times over to choose between settings."""

from optviz.recipes.archive import Parts, read_compressed, write_compressed
from optviz.recipes.compression import Compression, deep_compression
from optviz.recipes.criteria import OBD, Criterion, Magnitude, Movement, Random, Snip, Taylor, Wanda
from optviz.recipes.few_bits import FewBits, LearnedSteps
from optviz.recipes.frozen_norm import FoldedBits, FrozenNorm
from optviz.recipes.mixed_bits import BitScan, MixedBits, bit_scan, mixed_bits, rounded
from optviz.recipes.pruning import one_shot, prune_iteratively, rounds_to
from optviz.recipes.qat import Rounding, ptq, qat
from optviz.recipes.ramps import Ramp, gradual
from optviz.recipes.rounded_units import RoundedUnits
from optviz.recipes.rounds import Later, Round
from optviz.recipes.scans import Sensitivity, budget, sensitivity
from optviz.recipes.tickets import Control, NewStart, RandomMask, tickets
from optviz.recipes.trials import Trial, try_out
from optviz.recipes.tuning import Span, Tuned, grid, random_search, successive_halving

__all__ = [
    "OBD",
    "BitScan",
    "Compression",
    "Control",
    "Criterion",
    "FewBits",
    "FoldedBits",
    "FrozenNorm",
    "Later",
    "LearnedSteps",
    "Magnitude",
    "MixedBits",
    "Movement",
    "NewStart",
    "Parts",
    "Ramp",
    "Random",
    "RandomMask",
    "Round",
    "RoundedUnits",
    "Rounding",
    "Sensitivity",
    "Snip",
    "Span",
    "Taylor",
    "Trial",
    "Tuned",
    "Wanda",
    "bit_scan",
    "budget",
    "deep_compression",
    "gradual",
    "grid",
    "mixed_bits",
    "one_shot",
    "prune_iteratively",
    "ptq",
    "qat",
    "random_search",
    "read_compressed",
    "rounded",
    "rounds_to",
    "sensitivity",
    "successive_halving",
    "tickets",
    "try_out",
    "write_compressed",
]
