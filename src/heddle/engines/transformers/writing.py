"""From a conversation to an answer, token by token."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import torch

from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.engines.transformers import TOKENS, models
from heddle.engines.transformers.models import Loaded
from heddle.errors import EngineFailed

#: What all choices together may be long, in bytes of JSON: the first stands in the output up to three times, and the
#: output is kept with the workflow.
_MOST_BYTES = 80_000

#: Tokens at the end of an answer in which an end is looked for: the ends of other choices are at most 200 letters long.
_TAIL = 210

#: How often the length of an answer is looked at, in tokens.
_LOOK = 64

_ENHANCE = (
    "You improve prompts for pictures{family}. Rewrite what the user sends as one vivid, concrete prompt: subject,"
    " setting, composition, light, style. Keep what the user asked for. Answer with the prompt alone."
)


@dataclass(frozen=True, slots=True)
class _Choice:
    text: str
    tokens: int
    finish: Literal["stop", "length"]


def make(loaded: Loaded, payload: JSON, context: JobContext) -> Made:
    """All choices in the shape of a chat completion, with the first text beside it."""
    context.progress(0.0, "reading")
    with models.failing("the text could not be written"), torch.inference_mode():
        prompt = _prompt(loaded, payload)
        made = [_choice(loaded, payload, prompt, i, context) for i in range(payload["n"])]
    read, wrote = int(prompt.shape[1]), sum(one.tokens for one in made)
    shown: dict[str, Any] = {
        "id": f"chatcmpl-{context.job_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": payload["model"],
        "choices": [
            {"index": i, "message": {"role": "assistant", "content": one.text}, "finishReason": one.finish}
            for i, one in enumerate(made)
        ],
        "usage": {"promptTokens": read, "completionTokens": wrote, "totalTokens": read + wrote},
        "text": made[0].text,
    }
    if payload["enhance"]:
        shown["enhancedPrompt"] = made[0].text
    return Made(
        data=made[0].text.encode(),
        mime="text/plain",
        metadata={"engine": "transformers-text", "model": payload["model"], "seed": payload["seed"]},
        output=shown,
    )


def messages(payload: JSON) -> list[dict[str, str]]:
    """As the model's template takes them."""
    said = [{"role": m["role"], "content": m["text"]} for m in payload["messages"]]
    if payload["enhance"]:
        family = f" made by models of the family {payload['ecosystem']}" if payload.get("ecosystem") else ""
        task = " ".join(filter(None, [_ENHANCE.format(family=family), payload.get("instruction")]))
    else:
        task = payload.get("instruction")
    return [{"role": "system", "content": task}, *said] if task else said


def _prompt(loaded: Loaded, payload: JSON) -> Any:
    """The tokens that are read. A model without a template goes on with the bare text."""
    tokenizer, said = loaded.reads, messages(payload)
    if tokenizer.chat_template:
        read = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    else:
        read = tokenizer("\n\n".join(m["content"] for m in said), return_tensors="pt")
    tokens = read["input_ids"]
    room = _room(loaded)
    if not tokens.shape[1]:
        raise EngineFailed("prompt: nothing of it is left as tokens of this model; write it in words")
    if tokens.shape[1] >= room:
        raise EngineFailed(f"prompt has {tokens.shape[1]} tokens; this model reads and writes {room}, so shorten it")
    return tokens.to(loaded.device)


def _room(loaded: Loaded) -> int:
    """Tokens that a conversation may have in this model."""
    return int(getattr(loaded.model.config.get_text_config(), "max_position_embeddings", None) or 2**31)


def _choice(loaded: Loaded, payload: JSON, prompt: Any, index: int, context: JobContext) -> _Choice:
    read = int(prompt.shape[1])
    most = min(payload.get("maxWords") or TOKENS, _room(loaded) - read)
    watch = _Watch(
        loaded.reads,
        payload,
        read,
        lambda tokens: context.progress((index + min(0.99, tokens / most)) / payload["n"], f"{tokens} tokens"),
    )
    with models.seeded(payload["seed"] + index, loaded.device):
        written = loaded.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=most,
            stopping_criteria=models.watched(watch.is_over),
            **_chance(payload),
        )[0, read:].tolist()
    text, stopped = _until(loaded.reads.decode(written, skip_special_tokens=True), payload["stop"])
    short = _shortened(text, _MOST_BYTES // payload["n"])
    ended = stopped or written[-1] in _ends(loaded)
    return _Choice(short, len(written), "stop" if ended and short == text else "length")


def _chance(payload: JSON) -> dict[str, Any]:
    """How daring the choice of tokens is; without any, the likeliest is taken."""
    if not payload["temperature"] or not payload["topP"]:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    return {"do_sample": True, "temperature": payload["temperature"], "top_p": payload["topP"], "top_k": 0}


def _ends(loaded: Loaded) -> list[int]:
    """The tokens that end an answer."""
    found: int | list[int] | None = loaded.model.generation_config.eos_token_id
    return found if isinstance(found, list) else [] if found is None else [found]


def _until(text: str, stops: list[str]) -> tuple[str, bool]:
    """What stands before the first of them, and whether there is one."""
    places = [at for stop in stops if (at := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def _shortened(text: str, most: int) -> str:
    """To so many bytes of JSON."""
    while (size := len(msgspec.json.encode(text))) > most:
        text = text[: -max(1, (size - most) // 12)]  # a character takes twelve at most
    return text


class _Watch:
    """After every token: tells how many there are, lets a cancel through, and ends an answer that is to end."""

    def __init__(self, tokenizer: Any, payload: JSON, read: int, tell: Callable[[int], None]) -> None:
        self._tokenizer = tokenizer
        self._stops: list[str] = payload["stop"]
        self._most = _MOST_BYTES // payload["n"]
        self._read = read
        self._tell = tell

    def is_over(self, tokens: Any) -> bool:
        """Of all tokens, those that were read among them."""
        written = tokens[self._read :]
        self._tell(len(written))
        if self._stops:
            tail = self._tokenizer.decode(written[-_TAIL:], skip_special_tokens=True)
            if any(stop in tail for stop in self._stops):
                return True
        if len(written) % _LOOK:
            return False
        return len(msgspec.json.encode(self._tokenizer.decode(written, skip_special_tokens=True))) > self._most
