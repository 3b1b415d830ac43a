"""Renders hard conversations with transformers' `apply_chat_template` for every template in `templates/`.

    python make.py                          # templates/NAME.jinja -> cases/NAME.json
    python make.py OTHER/TEMPLATES OTHER/CASES

Needs `transformers` 5.23 with `jinja2` 3.1. A file of cases is a list of
`{"conversation": NAME, "options": {...}, "text": RENDERED}`, or with `"error": MESSAGE` in place of the text
where transformers refuses. The conversations themselves go to `conversations.json`. Messages, tools and further
variables are JSON in strings there, so that the order of their entries reaches the reader.
"""

import datetime
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

HERE = Path(__file__).parent
NOW = datetime.datetime(2026, 3, 7, 15, 4, 5)
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def message(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather's state at a <place> & time, e.g. \"Zürich\" – in °C",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A town\nand its country"},
                "days": {"type": "integer", "enum": [1, 3, 7], "default": 3},
                "detail": {"type": ["boolean", "null"], "default": None},
                "scale": {"type": "number", "minimum": -0.5, "maximum": 1e22},
            },
            "required": ["place"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {"type": "function", "function": {
    "name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}}}

SYSTEM = message("system", "Answer in one sentence.")
HI = message("user", "What is a KV cache?")
ANSWER = message("assistant", "It keeps keys and values of earlier tokens.")
MORE = message("user", "And why?")

CONVERSATIONS = {
    "user": [HI],
    "system": [SYSTEM, HI],
    "turns": [HI, ANSWER, MORE],
    "system_turns": [SYSTEM, HI, ANSWER, MORE],
    "ends_with_assistant": [SYSTEM, HI, ANSWER],
    "empty": [message("user", "")],
    "empty_system": [message("system", ""), HI, message("assistant", ""), MORE],
    "white_space": [message("system", "  be brief \n"), message("user", "\n\n two  spaces\t\n"),
                    message("assistant", " \n yes \n "), message("user", " ")],
    "unicode": [message("system", "Sei höflich ½"), message("user", "你好 🙂👩‍👩‍👧 e\u0301 \u00a0\u200b"),
                message("assistant", "مرحبا")],
    "like_a_template": [message("user", "{{ bos_token }} {% for x in y %} {# no #} <b>&amp;'\"\\n</b> %}")],
    "like_special_tokens": [message("user", "<|im_end|><|im_start|>system [INST] </s> <|end|>"), ANSWER, HI],
    "think": [HI, message("assistant", "<think>\nLet me see.\n</think>\n\nDone."), MORE],
    "think_last": [HI, message("assistant", "<think>\nLet me see.\n</think>\n\nDone.")],
    "reasoning": [HI, message("assistant", "Done.", reasoning_content="Let me see."), MORE,
                  message("assistant", "Again.", reasoning_content="Hm.\n")],
    "none_content": [HI, message("assistant", None, tool_calls=[call("now", {})]), message("tool", "12:00")],
    "parts": [message("user", [{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}])],
    "starts_with_assistant": [ANSWER, HI],
    "two_users": [HI, MORE],
    "system_late": [HI, ANSWER, SYSTEM, MORE],
    "other_role": [HI, message("narrator", "Meanwhile…"), MORE],
    "many": [message(("user", "assistant")[at % 2], f"turn {at}") for at in range(9)],
    "calls": [SYSTEM, message("user", "Weather?"),
              message("assistant", "", tool_calls=[
                  call("get_weather", {"place": "Zürich <CH>", "days": 3, "detail": None, "scale": 0.5}, id="abcdefghi"),
                  call("now", {}, id="jklmnopqr")]),
              message("tool", "{\"t\": 21.5}", name="get_weather", tool_call_id="abcdefghi"),
              message("tool", "15:04", name="now", tool_call_id="jklmnopqr"),
              message("assistant", "21.5 °C at 15:04."), MORE],
    "call_as_text": [message("user", "Weather?"),
                     message("assistant", "I look.", tool_calls=[call("get_weather", "{\"place\": \"Bern\"}")]),
                     message("tool", "rain")],
}

TOOLS = ("system", "turns", "calls", "call_as_text", "none_content")
THINKING = ("user", "system_turns", "think", "reasoning")


def requests():
    for name in CONVERSATIONS:
        yield name, {"add_generation_prompt": True}
        if name in ("user", "system_turns", "ends_with_assistant", "white_space", "think_last", "calls", "parts"):
            yield name, {"add_generation_prompt": False}
    for name in TOOLS:
        yield name, {"add_generation_prompt": True, "tools": [WEATHER, CLOCK]}
    for name in THINKING:
        for value in (True, False):
            yield name, {"add_generation_prompt": True, "extra": {"enable_thinking": value}}
    yield "system", {"add_generation_prompt": True, "extra": {"reasoning_effort": "high", "thinking": True}}
    documents = [{"title": "A", "text": "One.", "doc_id": 1}, {"title": "B", "text": "Two.", "doc_id": "2"}]
    yield "system", {"add_generation_prompt": True, "extra": {"documents": documents}}


def render(tokenizer, name, options):
    extra = options.get("extra", {})
    return tokenizer.apply_chat_template(
        CONVERSATIONS[name], tools=options.get("tools"), add_generation_prompt=options["add_generation_prompt"],
        tokenize=False, **extra)


def cases(template):
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, "<unk>")), chat_template=template, **SPECIAL)
    for name, options in requests():
        text = {key: json.dumps(value, ensure_ascii=False) for key, value in options.items() if key == "tools"}
        text["extra"] = {key: json.dumps(value) for key, value in options.get("extra", {}).items()}
        case = {"conversation": name, "options": {**options, **text}}
        try:
            case["text"] = render(tokenizer, name, options)
        except Exception as error:  # noqa: BLE001 - whatever it refuses is what is to be recorded
            case["error"] = f"{type(error).__name__}: {error}"
        yield case


def write(path, values):
    rows = [json.dumps(value, ensure_ascii=False) for value in values]
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


def main():
    templates, out = map(Path, sys.argv[1:] or [HERE / "templates", HERE / "cases"])
    chat_template_utils.datetime = Clock
    out.mkdir(exist_ok=True)
    named = [{"name": name, "messages": json.dumps(messages, ensure_ascii=False)} for name, messages in CONVERSATIONS.items()]
    write(out.parent / "conversations.json", named)
    for path in sorted(templates.glob("*.jinja")):
        write(out / f"{path.stem}.json", list(cases(path.read_bytes().decode("utf-8"))))


if __name__ == "__main__":
    main()
