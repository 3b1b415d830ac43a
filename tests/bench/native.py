"""This project and llama.cpp without a browser: the same GGUF files, one thread each, in turn.

    native.py GLASSBOX MODELS OUT

`GLASSBOX` is the command line program, `MODELS` the folder of a shape that `make-models.py` wrote. Writes a JSON file
with the medians of all rounds, in milliseconds.
"""

import datetime
import json
import statistics
import subprocess
import sys
from pathlib import Path

import xllamacpp

ROUNDS = 5
PROMPT, NEW = 64, 32
TYPES = ("f16", "q8_0", "q4_0")


def ours(program: Path, model: Path) -> dict[str, float]:
    """Milliseconds of a prompt and of each token after it, by `glassbox bench`."""
    sizes = ["--prompt-tokens", str(PROMPT), "--new-tokens", str(NEW), "--repeat", "1"]
    command = ["taskset", "--cpu-list", "0", str(program), "bench", str(model), "--backend", "cpu", *sizes]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {"prefill": found["prefill_ms"], "decode": found["decode_ms_per_token"]}


def start(model: Path) -> xllamacpp.Server:
    """llama.cpp with one thread and nothing offloaded."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.n_ctx = 512
    params.n_parallel = 1
    return xllamacpp.Server(params)


def theirs(server: xllamacpp.Server, vocab: int) -> dict[str, float]:
    """The same, as llama.cpp times itself."""
    request = {
        "prompt": [(i * 7 + 1) % vocab for i in range(PROMPT)],
        "n_predict": NEW + 1,
        "cache_prompt": False,
        "ignore_eos": True,
        "temperature": 0.0,
    }
    timings = server.handle_completions(request)["timings"]
    assert timings["prompt_n"] == PROMPT, timings
    return {"prefill": timings["prompt_ms"], "decode": timings["predicted_per_token_ms"]}


def medians(samples: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}


def main(program: str, models: str, out: str) -> None:
    rows = []
    for kind in TYPES:
        model = Path(models) / "gguf" / f"{kind}.gguf"
        server = start(model)
        theirs(server, 49152)  # Warm.
        pairs = [(ours(Path(program), model), theirs(server, 49152)) for _ in range(ROUNDS)]
        row = {
            "type": kind,
            "glassbox": medians([pair[0] for pair in pairs]),
            "llama.cpp": medians([pair[1] for pair in pairs]),
        }
        rows.append(row)
        print(json.dumps(row), flush=True)
    found = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "xllamacpp": xllamacpp.__version__,
        "rounds": ROUNDS,
        "prompt": PROMPT,
        "new": NEW,
        "rows": rows,
    }
    Path(out).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
