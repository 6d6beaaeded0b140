"""What some pipelines read prompts and pictures with, made without the parts of it that need torchvision.

The processors of Qwen-Image-Edit and Flux.2 know of videos and pictures that these pipelines never show them, and
transformers makes none of them without torchvision. What is used of them needs only Pillow and the tokenizer: the code
is that of transformers, and where torchvision is installed, its own classes are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


def without_torchvision(path: Path, parts: Mapping[str, str]) -> dict[str, Any]:
    """The processors of a folder that transformers would not make here, by part; `parts` has the class of each."""
    if import_module("transformers.utils").is_torchvision_available():
        return {}
    stand_ins = _stand_ins()
    return {
        part: stand_ins[cls].from_pretrained(path / part, local_files_only=True)
        for part, cls in parts.items()
        if cls in stand_ins
    }


@cache
def _stand_ins() -> Mapping[str, Any]:
    """By the class that a folder names. What `__init__` takes is what transformers looks for in the folder."""
    import transformers  # noqa: PLC0415 - heavy

    mixin: Any = import_module("transformers.processing_utils").ProcessorMixin

    def of_pictures(base: Any) -> Any:
        """The processor without videos."""

        class OfPictures(base):
            def __init__(
                self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **_: Any
            ) -> None:
                self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
                self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
                self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
                mixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

        return OfPictures

    class OfTexts(mixin):
        """Pixtral's without pictures: Flux.2 shows its sources to the transformer alone."""

        def __init__(self, tokenizer: Any = None, chat_template: Any = None, **_: Any) -> None:
            mixin.__init__(self, tokenizer, chat_template=chat_template)

    return {
        "Qwen2VLProcessor": of_pictures(transformers.Qwen2VLProcessor),
        "Qwen2_5_VLProcessor": of_pictures(transformers.Qwen2_5_VLProcessor),
        "PixtralProcessor": OfTexts,
    }
