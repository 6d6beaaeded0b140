"""What each node class does: its function by its name.

Samplers, sources and outputs are not here: they need the job, and are methods of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from heddle.engines.comfy_graph import latents, masks, models, pictures
from heddle.engines.comfy_graph.values import Given, Inputs

Function = Callable[[Inputs], Given]

FUNCTIONS: Mapping[str, Function] = {
    "CheckpointLoaderSimple": models.checkpoint,
    "UNETLoader": models.model_alone,
    "CLIPLoader": models.text_encoder,
    "DualCLIPLoader": models.text_encoder,
    "VAELoader": models.decoder,
    "LoraLoader": models.with_lora,
    "LoraLoaderModelOnly": models.model_with_lora,
    "UpscaleModelLoader": models.upscaler,
    "CLIPTextEncode": models.prompt,
    "CLIPSetLastLayer": models.skipping,
    "ConditioningCombine": models.combined,
    "ConditioningConcat": models.appended,
    "ConditioningAverage": models.averaged,
    "ConditioningZeroOut": models.emptied,
    "EmptyLatentImage": latents.empty,
    "EmptySD3LatentImage": latents.empty,
    "LatentUpscale": latents.scaled,
    "LatentUpscaleBy": latents.scaled_by,
    "RepeatLatentBatch": latents.repeated,
    "SetLatentNoiseMask": latents.masked,
    "VAEDecode": latents.decoded,
    "VAEDecodeTiled": latents.decoded,
    "VAEEncode": latents.encoded,
    "VAEEncodeForInpaint": latents.encoded_for_inpaint,
    "EmptyImage": pictures.empty,
    "ImageScale": pictures.scaled,
    "ImageScaleBy": pictures.scaled_by,
    "ImageScaleToTotalPixels": pictures.scaled_to_total,
    "ImageUpscaleWithModel": pictures.upscaled,
    "ImageCrop": pictures.cropped,
    "ImageInvert": pictures.inverted,
    "ImageBlend": pictures.blended,
    "ImageBlur": pictures.blurred,
    "ImageSharpen": pictures.sharpened,
    "ImagePadForOutpaint": pictures.padded,
    "ImageBatch": pictures.joined,
    "ImageFromBatch": pictures.some,
    "ImageCompositeMasked": pictures.composed,
    "SolidMask": masks.solid,
    "InvertMask": masks.inverted,
    "ImageToMask": masks.from_picture,
    "MaskToImage": masks.as_picture,
    "GrowMask": masks.grown_or_shrunk,
    "FeatherMask": masks.feathered,
    "CropMask": masks.cropped,
    "MaskComposite": masks.combined,
}
