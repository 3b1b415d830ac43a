"""What transformers says of everything that the page lets one change, on tests/fixtures/llama-gqa: page.json.

Written with HF transformers and forward hooks alone; it knows nothing of the engine. Run it with `python page.py`, with
the packages of tests/fixtures/requirements.txt.
"""

import json
import math
import sys
import tomllib
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).parent
FIXTURES = HERE.parent.parent / "fixtures"
sys.path.insert(0, str(FIXTURES))

import analysis  # noqa: E402

FOLDER = FIXTURES / "llama-gqa"
SECOND = "When é on 42"
LAYER, POSITION = 1, 1
SHOWN = 20
STRENGTH = 4.0
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] | trim }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "  Is 7 odd? "},
]


def main():
    case = tomllib.loads((FOLDER / "case.toml").read_text())
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32, attn_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    parts = analysis.Parts(model.eval())
    target = case["prompt"]["ids_with_special"]
    bos = target[0]
    ids = lambda text: [bos, *tokenizer(text, add_special_tokens=False)["input_ids"]]
    assert ids(case["prompt"]["text"]) == target
    source = ids(SECOND)
    target_kept, plain, _ = analysis.capture(parts, target)
    source_kept, source_logits, _ = analysis.capture(parts, source)

    def after(hooks):
        return analysis.run(parts, target, hooks)[0][-1]

    patch = after([(parts.blocks[LAYER], analysis.replaced_input(POSITION, source_kept[f"resid_pre.{LAYER}"][POSITION]), True)])
    towards, away = ids("the"), ids("42")
    steering = STRENGTH * (last(parts, towards) - last(parts, away))

    def steer(_module, args, kwargs):
        return (args[0] + steering, *args[1:]), kwargs

    # As the page asks: what the source says most, less what the target says instead.
    token = int(source_logits[-1].argmax())
    against = next(int(i) for i in plain[-1].argsort(descending=True) if int(i) != token)
    metric = lambda logits: logits[-1, token] - logits[-1, against]
    sweep = analysis.sweep(parts, target, source_kept, "resid_pre", metric)
    ends = [float(metric(source_logits)), float(metric(plain))]
    order = plain[-1].argsort(descending=True)
    way = [int(order[1])]
    probabilities = [float(plain[-1].softmax(-1)[way[0]])]
    for _ in range(4):
        logits = analysis.run(parts, target + way)[0][-1]
        way.append(int(logits.argmax()))
        probabilities.append(float(logits.softmax(-1)[way[-1]]))
    tokenizer.chat_template = TEMPLATE
    chat = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=False)
    golden = {
        "about": f"transformers {transformers.__version__}, f32, eager attention, over tests/fixtures/llama-gqa; made by page.py.",
        "second": {"text": SECOND, "ids": source, "next": ranked(source_logits[-1])},
        "patch": {"layer": LAYER, "position": POSITION, "next": ranked(patch)},
        "sweep": {"token": token, "against": against, "ends": ends, "recovered": ((sweep - ends[1]) / (ends[0] - ends[1])).tolist()},
        "steer": {"towards": "the", "away": "42", "layer": LAYER, "strength": STRENGTH, "next": ranked(after([(parts.blocks[LAYER], steer, True)]))},
        "branch": {"ids": way, "probabilities": probabilities, "log": sum(math.log(p) for p in probabilities)},
        "chat": {
            "template": TEMPLATE,
            "messages": MESSAGES,
            "text": chat,
            "ids": tokenizer(chat, add_special_tokens=False)["input_ids"],
            "next": ranked(analysis.run(parts, tokenizer(chat, add_special_tokens=False)["input_ids"])[0][-1]),
        },
    }
    (HERE / "page.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


def last(parts, tokens):
    """The residual stream before the layer, after the last token."""
    return analysis.capture(parts, tokens)[0][f"resid_pre.{LAYER}"][-1]


def ranked(logits):
    """The most probable tokens, best first."""
    probabilities = logits.softmax(-1)
    best = logits.argsort(descending=True)[:SHOWN]
    return [{"id": int(i), "probability": float(probabilities[i]), "logit": float(logits[i])} for i in best]


if __name__ == "__main__":
    main()
