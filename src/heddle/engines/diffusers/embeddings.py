"""Embeddings (textual inversion): for one job the text encoders hear some words more, and afterwards not.

The words go into copies of the tokenizers and of the encoders' tables; the originals are put back, so nothing needs
to be undone.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from heddle.engines.diffusers import added, parts
from heddle.engines.diffusers.added import Network
from heddle.engines.diffusers.families import Family
from heddle.errors import EngineFailed

#: What configurations of CLIP say by mistake, and which makes it take the largest word for the end of a prompt.
_MISTAKEN_END = 2


@contextmanager
def heard(pipeline: Any, row: Family, embeddings: Sequence[Network]) -> Generator[None]:
    """While these are there, `added.say` makes the prompts that call them."""
    if not embeddings:
        yield
        return
    before: list[tuple[Any, str, Any]] = []
    try:
        read = [(network, parts.tensors(network.path)) for network in embeddings]
        for part, key in added.EMBEDDED[row.answers].items():
            _extend(pipeline, part, dict(_words(read, part, key, pipeline)), before)
        yield
    finally:
        for thing, name, value in reversed(before):
            if name:
                setattr(thing, name, value)
            else:
                thing.set_input_embeddings(value)


def _words(
    read: Sequence[tuple[Network, Mapping[str, Any]]], part: str, key: str, pipeline: Any
) -> Iterator[tuple[str, Any]]:
    """New words of an encoder, and their vectors. Raises EngineFailed."""
    width = getattr(pipeline, part).get_input_embeddings().weight.shape[1]
    for number, (network, tensors) in enumerate(read):
        table = tensors[key] if key else next(iter(tensors.values()))
        table = table.reshape(-1, table.shape[-1])
        if table.shape[1] != width:
            said = f"its vectors have {table.shape[1]} numbers, and those of this model {width}"
            raise EngineFailed(f"{network.path.name!r} is not for this model: {said}")
        yield from zip(added.tokens(number, table.shape[0]), table, strict=True)


def _extend(pipeline: Any, part: str, words: Mapping[str, Any], before: list[tuple[Any, str, Any]]) -> None:
    import torch  # noqa: PLC0415 - heavy
    from transformers import AddedToken  # noqa: PLC0415 - heavy

    encoder, named = getattr(pipeline, part), part.replace("text_encoder", "tokenizer")
    tokenizer = copy.deepcopy(getattr(pipeline, named))
    tokenizer.add_tokens([AddedToken(word, lstrip=True, rstrip=True, normalized=False) for word in words])
    numbers: list[int] = tokenizer.convert_tokens_to_ids(list(words))
    old = encoder.get_input_embeddings()
    table = old.weight.new_zeros(max(old.weight.shape[0], *(number + 1 for number in numbers)), old.weight.shape[1])
    table[: old.weight.shape[0]] = old.weight.detach()
    for number, vector in zip(numbers, words.values(), strict=True):
        table[number] = vector.to(table)
    before.append((encoder, "", old))
    embedding: Any = torch.nn.Embedding
    encoder.set_input_embeddings(embedding.from_pretrained(table))
    before.append((pipeline, named, getattr(pipeline, named)))
    setattr(pipeline, named, tokenizer)
    for module in encoder.modules():
        if getattr(module, "eos_token_id", None) == _MISTAKEN_END:
            before.append((module, "eos_token_id", _MISTAKEN_END))
            module.eos_token_id = tokenizer.eos_token_id
