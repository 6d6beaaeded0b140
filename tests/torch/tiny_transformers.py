"""Tiny models with random weights, written as transformers writes folders: of the same classes as large ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers.models.whisper.tokenization_whisper import LANGUAGES

library: Any = transformers
library.utils.logging.set_verbosity_error()
library.utils.logging.disable_progress_bar()

#: Every byte as one letter, as byte-level tokenizers write them.
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def whisper(folder: Path, *, languages: bool = True, seconds: int = 3) -> Path:
    """Of the large-v2 kind: 99 languages and two tasks; or of the English kind. A window is that long, not 30 s."""
    torch.manual_seed(1)
    tags = [f"<|{code}|>" for code in list(LANGUAGES)[:99]] if languages else ["<|en|>"]
    special = ["<|endoftext|>", "<|startoftranscript|>", *tags, "<|translate|>", "<|transcribe|>"]
    special += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    times = [f"<|{i * 0.02:.2f}|>" for i in range(50 * seconds + 1)]
    vocabulary = {token: i for i, token in enumerate([*BYTES, *special, *times])}
    tokenizer = library.WhisperTokenizerFast(
        vocab={token: vocabulary[token] for token in BYTES},
        merges=[],
        unk_token="<|endoftext|>",
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=special[1:],
    )
    tokenizer.add_tokens([library.AddedToken(t, normalized=False, special=False) for t in times])
    assert {t: tokenizer.convert_tokens_to_ids(t) for t in [*special, *times]} == {
        t: vocabulary[t] for t in [*special, *times]
    }
    config = library.WhisperConfig(
        vocab_size=len(vocabulary),
        num_mel_bins=8,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_source_positions=50 * seconds,
        max_target_positions=40,
        pad_token_id=vocabulary["<|endoftext|>"],
        bos_token_id=vocabulary["<|endoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
        decoder_start_token_id=vocabulary["<|startoftranscript|>"],
        init_std=0.5,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = library.WhisperForConditionalGeneration(config)
    generation = model.generation_config
    generation._from_model_config = False  # else what follows is forgotten
    generation.no_timestamps_token_id = vocabulary["<|notimestamps|>"]
    generation.prev_sot_token_id = vocabulary["<|startofprev|>"]
    generation.max_initial_timestamp_index = 50
    generation.is_multilingual = languages
    generation.return_timestamps = False
    generation.max_length = 40
    if languages:
        generation.lang_to_id = {tag: vocabulary[tag] for tag in tags}
        generation.task_to_id = {task: vocabulary[f"<|{task}|>"] for task in ("transcribe", "translate")}
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    library.WhisperFeatureExtractor(feature_size=8, chunk_length=seconds).save_pretrained(folder)
    return folder


def vits(folder: Path, *, speakers: int = 1, uroman: bool = False) -> Path:
    """Of the kind of MMS: it reads letters."""
    torch.manual_seed(2)
    folder.mkdir(parents=True, exist_ok=True)
    letters = ["<pad>", "<unk>", *" abcdefghijklmnopqrstuvwxyz'-"]
    (folder / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(letters)}))
    tokenizer = library.VitsTokenizer(
        str(folder / "vocab.json"), language="eng", phonemize=False, is_uroman=uroman, add_blank=True
    )
    config = library.VitsConfig(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        num_speakers=speakers,
        speaker_embedding_size=8 if speakers > 1 else 0,
        prior_encoder_num_flows=2,
        posterior_encoder_num_wavenet_layers=1,
        prior_encoder_num_wavenet_layers=1,
        duration_predictor_num_flows=2,
        depth_separable_num_layers=1,
        upsample_initial_channel=32,
        upsample_rates=[4, 4],
        upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        wavenet_dilation_rate=1,
    )
    model = library.VitsModel(config)
    # Random weights say nothing loud; a trained model's last layer does.
    with torch.no_grad():
        model.decoder.conv_post.weight.mul_(50)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _bytes_tokenizer(folder: Path, specials: list[str], template: str | None = None, **named: str) -> Any:
    vocabulary = {token: i for i, token in enumerate([*specials, *BYTES])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    if "cls_token" in named:
        core.post_processor = processors.BertProcessing(
            (named["sep_token"], vocabulary[named["sep_token"]]), (named["cls_token"], vocabulary[named["cls_token"]])
        )
    tokenizer = library.PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=64, **named)
    tokenizer.add_special_tokens({"additional_special_tokens": [s for s in specials if s not in named.values()]})
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return tokenizer


def llama(folder: Path, *, template: str | None = CHAT, positions: int = 128) -> Path:
    """A causal language model whose tokens are bytes."""
    torch.manual_seed(3)
    tokenizer = _bytes_tokenizer(
        folder,
        ["<pad>", "<|end|>", "<|user|>", "<|system|>", "<|assistant|>"],
        template,
        eos_token="<|end|>",
        pad_token="<pad>",
    )
    config = library.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=positions,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.3,
    )
    library.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def text_judge(folder: Path, labels: tuple[str, ...], *, apart: bool = False) -> Path:
    """A BERT that has labels for texts."""
    torch.manual_seed(4)
    tokenizer = _bytes_tokenizer(
        folder,
        ["[PAD]", "[CLS]", "[SEP]", "[UNK]"],
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
    )
    config = library.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        pad_token_id=0,
        initializer_range=0.5,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        problem_type="multi_label_classification" if apart else None,
    )
    library.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def picture_judge(folder: Path, labels: tuple[str, ...]) -> Path:
    """A ViT that has labels for pictures."""
    torch.manual_seed(5)
    config = library.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        initializer_range=0.5,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    library.ViTForImageClassification(config).save_pretrained(folder)
    library.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder
