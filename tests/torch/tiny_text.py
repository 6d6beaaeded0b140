"""Tokenizers made in memory: a token for each byte or letter."""

from __future__ import annotations

import string
from typing import Any

from transformers import CLIPTokenizer, GemmaTokenizer, Qwen2Tokenizer, T5Tokenizer

_LETTERS = string.ascii_letters + string.digits + string.punctuation


def t5_tokenizer(longest: int = 512) -> Any:
    """Of T5 and its like: Unigram. With a `longest`, because StableAudio pads to it."""
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -2.0), *((letter, -3.0) for letter in _LETTERS)]
    return T5Tokenizer(vocab=letters, extra_ids=0, model_max_length=longest)


def qwen_tokenizer(longest: int = 256) -> Any:
    """Of Qwen, and good for Llama: bytes."""
    words = [*_bytes(), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocab = {word: i for i, word in enumerate(words)}
    tokenizer = Qwen2Tokenizer(
        vocab=vocab,
        merges=[],
        model_max_length=longest,
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


def clip_tokenizer() -> Any:
    """Of CLIP: bytes, each of them also as the end of a word."""
    words = [*_bytes(), *(f"{byte}</w>" for byte in _bytes()), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=77)


def gemma_tokenizer(longest: int = 128) -> Any:
    """Of Gemma: letters, and the marks that stand for pictures."""
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<boi>", "<eoi>", "<image>", "▁", *_LETTERS]
    return GemmaTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=longest)


def _bytes() -> list[str]:
    """The characters that stand for bytes in byte-level vocabularies: those that print, and others for the rest."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [i for i in range(256) if i not in plain]
    return [chr(i) for i in plain] + [chr(256 + i) for i in range(len(rest))]
