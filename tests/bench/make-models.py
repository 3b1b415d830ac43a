"""Makes the models of the benchmark: the same seeded weights in every format that a contestant reads.

python make-models.py FOLDER [NAME ...]     all shapes when none is named; what is there already is kept

Each shape gets a folder with `safetensors/`, `gguf/`, `onnx/` and `reference.json`. Random weights cost a forward pass
exactly what trained ones cost, and need no download; see README.md for how they are scaled.
"""

import sys
from pathlib import Path

import torch
from transformers import logging

from models import gguf_files, onnx_files, reference, weights
from models.shapes import SHAPES, Shape


def make(root: Path, shape: Shape) -> None:
    folder = root / shape.name
    stamp = folder / "complete"
    if stamp.exists() and stamp.read_text() == shape.stamp():
        print(f"{shape.name}: present")
        return
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    model = weights.make(shape)
    weights.save(model, shape, folder / "safetensors")
    print(f"{shape.name}: safetensors")
    reference.write(model, shape, folder)
    print(f"{shape.name}: reference")
    gguf_files.write(model, shape, folder / "gguf")
    print(f"{shape.name}: gguf")
    onnx_files.write(shape, folder)
    print(f"{shape.name}: onnx")
    for name, worst in onnx_files.compare(shape, folder).items():
        print(f"{shape.name}: onnx {name}: {worst}")
    stamp.write_text(shape.stamp())


def main(arguments: list[str]) -> None:
    if not arguments:
        sys.exit(__doc__)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(0)
    wanted = arguments[1:] or list(SHAPES)
    unknown = set(wanted) - SHAPES.keys()
    if unknown:
        sys.exit(f"not known: {', '.join(sorted(unknown))}; there are {', '.join(SHAPES)}")
    for name in wanted:
        make(Path(arguments[0]), SHAPES[name])


if __name__ == "__main__":
    main(sys.argv[1:])
