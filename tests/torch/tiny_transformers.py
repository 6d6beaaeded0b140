"""Tiny models with random weights, written as transformers writes folders: of the same classes as large ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers.models.bark.configuration_bark import BarkCoarseConfig, BarkFineConfig, BarkSemanticConfig
from transformers.models.bark.generation_configuration_bark import (
    BarkCoarseGenerationConfig,
    BarkFineGenerationConfig,
    BarkGenerationConfig,
    BarkSemanticGenerationConfig,
)
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
    if "bos_token" in named:
        ends = [(named[one], vocabulary[named[one]]) for one in ("bos_token", "eos_token")]
        core.post_processor = processors.TemplateProcessing(
            single=f"{named['bos_token']} $A {named['eos_token']}", special_tokens=ends
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


def speecht5(folder: Path, *, voices: tuple[str, ...] = ()) -> Path:
    """With its vocoder, and a speaker for each name."""
    torch.manual_seed(6)
    folder.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" abcdefghijklmnopqrstuvwxyz'-.,!?"] * 3),
        model_writer=written,
        model_type="char",
        vocab_size=38,
        character_coverage=1.0,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "spm_char.model").write_bytes(written.getvalue())
    tokenizer = library.SpeechT5Tokenizer(str(folder / "spm_char.model"))
    config = library.SpeechT5Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_layers=1,
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        num_mel_bins=8,
        speaker_embedding_dim=4,
        speech_decoder_prenet_units=8,
        speech_decoder_postnet_units=8,
        speech_decoder_postnet_layers=2,
        conv_dim=[8],
        conv_stride=[5],
        conv_kernel=[10],
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.5,
    )
    model = library.SpeechT5ForTextToSpeech(config)
    vocoder = library.SpeechT5HifiGan(
        library.SpeechT5HifiGanConfig(
            model_in_dim=8,
            upsample_initial_channel=16,
            upsample_rates=[4, 4],
            upsample_kernel_sizes=[8, 8],
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1]],
            initializer_range=0.3,
        )
    )
    with torch.no_grad():
        # Random weights stop at once; these go on to the longest that a text may last.
        model.speech_decoder_postnet.prob_out.bias.fill_(-100)
    model.save_pretrained(folder)
    vocoder.save_pretrained(folder / "vocoder")
    tokenizer.save_pretrained(folder)
    for i, name in enumerate(voices):
        (folder / "speakers").mkdir(exist_ok=True)
        who = speaker(i)
        np.save(folder / "speakers" / f"{name}.npy", who[None] if i % 2 else who)
    return folder


def speaker(number: int) -> Any:
    """As files of SpeechT5 have them; only their direction counts."""
    return np.eye(4, dtype=np.float32)[number] - 0.3


def _fill(codec: Any) -> None:
    """The codebooks of a codec that was not trained are empty, and every token would sound alike."""
    for name, buffer in codec.named_buffers():
        if name.endswith((".embed", ".embed_sum")):
            buffer.normal_()


def bark(folder: Path, *, voices: tuple[str, ...] = ()) -> Path:
    """Of four codebooks, with prompts for each voice as Bark's own folders have them."""
    torch.manual_seed(7)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = _bytes_tokenizer(
        folder, marks, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    words, codes = 20, 16
    part = {"num_layers": 1, "num_heads": 2, "hidden_size": 16, "initializer_range": 0.5}
    semantic = BarkSemanticConfig(
        input_vocab_size=words + 10 + len(tokenizer), output_vocab_size=words + 1, block_size=128, **part
    )
    size = words + 2 * codes + 4
    coarse = BarkCoarseConfig(input_vocab_size=size, output_vocab_size=size, block_size=128, **part)
    fine = BarkFineConfig(
        input_vocab_size=codes + 1, output_vocab_size=codes + 1, block_size=64, n_codes_total=4, n_codes_given=1, **part
    )
    codec = library.EncodecConfig(
        target_bandwidths=[120.0],
        sampling_rate=24000,
        num_filters=4,
        hidden_size=8,
        codebook_size=codes,
        codebook_dim=8,
        num_residual_layers=1,
        upsampling_ratios=[4, 2],
        num_lstm_layers=1,
        normalize=False,
    )
    parts = {"semantic_config": semantic, "coarse_acoustics_config": coarse, "fine_acoustics_config": fine}
    config = library.BarkConfig(**{name: one.to_dict() for name, one in parts.items()}, codec_config=codec.to_dict())
    model = library.BarkModel(config)
    _fill(model.codec_model)
    model.save_pretrained(folder)
    settings = BarkGenerationConfig.from_sub_model_configs(
        BarkSemanticGenerationConfig(
            eos_token_id=words,
            text_encoding_offset=words + 5,
            text_pad_token=words + 1,
            semantic_infer_token=words + 2,
            semantic_vocab_size=words,
            max_input_semantic_length=64,
            min_new_tokens=16,
            max_new_tokens=24,
            do_sample=True,
        ),
        BarkCoarseGenerationConfig(
            coarse_semantic_pad_token=words + 2 * codes,
            coarse_infer_token=words + 2 * codes + 1,
            max_coarse_input_length=32,
            max_coarse_history=40,
            sliding_window_len=20,
            do_sample=True,
        ),
        BarkFineGenerationConfig(max_fine_history_length=16, max_fine_input_length=32, n_fine_codebooks=4),
        sample_rate=24_000,
        codebook_size=codes,
    )
    (folder / "generation_config.json").write_text(json.dumps(settings.to_dict()))
    table: dict[str, Any] = {"repo_or_path": "somewhere/else"} if voices else {}
    for i, voice in enumerate(voices):
        chance = np.random.default_rng(i)
        table[voice] = {}
        for prompt, shape, end in (("semantic", 12, words), ("coarse", (2, 18), codes), ("fine", (4, 18), codes)):
            file = f"speaker_embeddings/{voice}_{prompt}_prompt.npy"
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            np.save(folder / file, chance.integers(0, end, shape))
            table[voice][f"{prompt}_prompt"] = file
    if voices:
        (folder / "speaker_embeddings_path.json").write_text(json.dumps(table))
    return folder


def csm(folder: Path) -> Path:
    """Of four codebooks, with its codec."""
    torch.manual_seed(8)
    tokenizer = _bytes_tokenizer(
        folder,
        ["<|pad|>", "<|AUDIO|>", "<|audio_eos|>", "<|bos|>", "<|eot|>"],
        pad_token="<|pad|>",
        bos_token="<|bos|>",
        eos_token="<|eot|>",
    )
    books, codes = 4, 32
    part = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2}
    codec = library.MimiConfig(
        **part,
        sampling_rate=24000,
        num_filters=4,
        num_residual_layers=1,
        upsampling_ratios=[30, 32],
        codebook_size=codes,
        codebook_dim=8,
        vector_quantization_hidden_dimension=8,
        num_quantizers=books,
        num_semantic_quantizers=1,
        num_hidden_layers=1,
        head_dim=8,
        upsample_groups=16,
        frame_rate=12.5,
        sliding_window=16,
    )
    depth = library.CsmDepthDecoderConfig(
        **part,
        num_codebooks=books,
        backbone_hidden_size=16,
        vocab_size=codes,
        num_hidden_layers=1,
        max_position_embeddings=books + 1,
    )
    config = library.CsmConfig(
        **part,
        num_codebooks=books,
        vocab_size=codes,
        text_vocab_size=len(tokenizer),
        num_hidden_layers=1,
        max_position_embeddings=256,
        codebook_pad_token_id=codes - 1,
        codebook_eos_token_id=0,
        pad_token_id=0,
        bos_token_id=3,
        audio_token_id=1,
        audio_eos_token_id=2,
        depth_decoder_config=depth.to_dict(),
        codec_config=codec.to_dict(),
        initializer_range=0.5,
    )
    model = library.CsmForConditionalGeneration(config)
    _fill(model.codec_model)
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    return folder
