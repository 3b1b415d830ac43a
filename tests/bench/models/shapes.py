"""The shapes that are measured."""

from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Shape:
    """A Llama decoder with a tied head."""

    name: str
    layers: int
    vocab: int
    hidden: int = 576
    heads: int = 9
    kv_heads: int = 3
    head_dim: int = 64
    intermediate: int = 1536
    context: int = 2048
    rope_theta: float = 100_000.0
    rms_norm_eps: float = 1e-5
    # As SmolLM2 is initialised. Every block then adds more to the residual stream than the embedding put there, so
    # that the tied head does not merely repeat the last token.
    std: float = 0.041666666666666664
    seed: int = 20_261_121
    prompts: tuple[int, ...] = (64, 512, 1024)
    new_tokens: int = 32

    def prompt(self, length: int) -> list[int]:
        """The first `length` ids of this shape's one prompt: ordinary tokens, no special ones."""
        ids = np.random.default_rng(self.seed).integers(256, self.vocab - SPECIAL, max(self.prompts))
        return ids[:length].tolist()

    def stamp(self) -> str:
        """Changes when the models would."""
        sources = sorted(Path(__file__).parent.glob("*.py"))
        code = sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
        return f"{asdict(self)}\n{code}\n"


# Tokens at the end of the vocabulary that no text has.
SPECIAL = 3

SHAPES = {
    shape.name: shape
    for shape in (
        # SmolLM2-135M: 134,515,008 parameters.
        Shape("smollm2-135m", layers=30, vocab=49152),
        # The same block twice with a smaller vocabulary, for adapters that are computed on the CPU.
        Shape("smollm2-2-layers", layers=2, vocab=8192, prompts=(64,)),
    )
}
