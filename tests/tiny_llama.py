"""A language model of random numbers in a GGUF file, and a real llama.cpp server that has it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy as np

_WIDTH, _INNER, _BLOCKS, _HEADS, _CONTEXT = 32, 64, 2, 4, 512
_SPECIAL = [b"<unk>", b"<s>", b"</s>"]
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"

#: In a process of its own, because llama.cpp aborts the one it is in where it finds itself in the wrong.
_SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.cpuparams.n_threads = sys.argv[1], 512, 1, 1
params.api_keys = sys.argv[2:]
server = xllamacpp.Server(params)
print("AT", server.listening_address, flush=True)
sys.stdin.read()
"""


def write(path: Path, *, seed: int = 0) -> Path:
    """Llama's architecture, a token for each byte; 130 KB."""
    file = gguf.GGUFWriter(path, "llama")
    file.add_name("tiny")
    file.add_context_length(_CONTEXT)
    file.add_embedding_length(_WIDTH)
    file.add_block_count(_BLOCKS)
    file.add_feed_forward_length(_INNER)
    file.add_head_count(_HEADS)
    file.add_head_count_kv(_HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(_WIDTH // _HEADS)
    tokens = [*_SPECIAL, *(f"<0x{i:02X}>".encode() for i in range(256))]
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("llama")
    file.add_token_list(tokens)
    file.add_token_scores([0.0] * len(tokens))
    file.add_token_types([gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256])
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_unk_token_id(0)
    file.add_chat_template(_TEMPLATE)
    chance = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> None:
        file.add_tensor(f"{name}.weight", (chance.standard_normal(shape) * 0.3).astype(np.float32))

    def ones(name: str) -> None:
        file.add_tensor(f"{name}.weight", np.ones(_WIDTH, np.float32))

    weights("token_embd", len(tokens), _WIDTH)
    ones("output_norm")
    weights("output", len(tokens), _WIDTH)
    for i in range(_BLOCKS):
        ones(f"blk.{i}.attn_norm")
        ones(f"blk.{i}.ffn_norm")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights(f"blk.{i}.{name}", _WIDTH, _WIDTH)
        weights(f"blk.{i}.ffn_gate", _INNER, _WIDTH)
        weights(f"blk.{i}.ffn_up", _INNER, _WIDTH)
        weights(f"blk.{i}.ffn_down", _WIDTH, _INNER)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path


@contextmanager
def serving(model: Path, key: str = "") -> Iterator[str]:
    """The address of its API, as in `http://127.0.0.1:1234/v1`."""
    command = [sys.executable, "-c", _SERVER, str(model), *([key] if key else [])]
    with (model.parent / "llama.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        found = next((line for line in process.stdout if line.startswith("AT ")), None)
        assert found is not None, (model.parent / "llama.log").read_text()[-2000:]
        yield f"{found.split()[1]}/v1"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait(30)
