"""The words the reader knows, beside the names of things and backdrops: colours, numbers, sizes, places, hours, styles."""

from __future__ import annotations

COLORS: dict[str, str] = {
    "red": "#dd2f2f", "crimson": "#b81f3a", "scarlet": "#e0321f", "maroon": "#7a1f2b", "burgundy": "#7a1f3a",
    "ruby red": "#c0203a", "orange": "#f0862a", "amber": "#f0a830", "coral": "#f07a5f", "salmon pink": "#f09a86",
    "peach colored": "#f6bf98", "yellow": "#f4cf2e", "golden": "#e8b030", "gold": "#e2ac2c", "mustard": "#d0a02c",
    "cream": "#f6ecd2", "ivory": "#f7f1e1", "beige": "#dcc9a6", "tan": "#c9a26c", "green": "#3c9f4a",
    "lime green": "#8fd03a", "olive": "#7f8440", "emerald green": "#1f9a63", "mint": "#9fdcc0", "turquoise": "#3cc0bc",
    "teal": "#1f8a8c", "cyan": "#38c4dc", "aqua": "#4fd0d8", "blue": "#2f6fd0", "navy": "#22386e", "navy blue": "#22386e",
    "azure": "#3f92e0", "cobalt": "#2a52b0", "sky blue": "#7fbfe8", "royal blue": "#3454c0", "indigo": "#40389a",
    "purple": "#8040b0", "violet": "#7c4fd0", "lavender": "#b8a4e0", "lilac": "#c4a6dc", "magenta": "#d0309a",
    "pink": "#f07aa8", "hot pink": "#ee3f90", "fuchsia": "#d83a9c", "brown": "#85552f", "chocolate": "#5f3a22",
    "bronze": "#a8713a", "copper": "#b5683a", "black": "#2c2a31", "white": "#fbf9f5", "grey": "#8e8f96",
    "gray": "#8e8f96", "silver": "#bcc2cc", "charcoal": "#40424a", "blond": "#e6c36c", "blonde": "#e6c36c",
    "ginger": "#d0763a", "rainbow colored": "#e8584a", "khaki": "#b5a66a", "rust": "#a84f2a", "wine red": "#6f1f38",
}  # fmt: skip

#: Words that change the colour after them: lightness step, factor on chroma.
SHADES: dict[str, tuple[float, float]] = {
    "light": (0.14, 0.75), "pale": (0.17, 0.6), "pastel": (0.16, 0.6), "soft": (0.08, 0.75), "bright": (0.05, 1.2),
    "vivid": (0.02, 1.3), "vibrant": (0.02, 1.3), "neon": (0.1, 1.5), "dark": (-0.17, 0.95), "deep": (-0.11, 1.1),
    "dull": (-0.03, 0.5), "muted": (0.0, 0.5), "faded": (0.08, 0.5), "electric": (0.06, 1.4), "baby": (0.16, 0.65),
    "forest": (-0.12, 0.9), "blood": (-0.1, 1.0), "midnight": (-0.24, 0.9),
}  # fmt: skip

NUMBERS: dict[str, int] = {
    "a": 1, "an": 1, "one": 1, "single": 1, "lone": 1, "lonely": 1, "solitary": 1, "two": 2, "pair of": 2,
    "a pair of": 2, "couple of": 2, "a couple of": 2, "both": 2, "three": 3, "trio of": 3, "a trio of": 3, "few": 3,
    "a few": 3, "some": 3, "four": 4, "five": 5, "several": 5, "various": 4, "six": 6, "half a dozen": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "dozen": 12, "a dozen": 12, "many": 9, "lots of": 10,
    "a lot of": 10, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "dozens of": 24, "hundred": 40,
    "a hundred": 40, "hundreds of": 40, "countless": 40, "thousands of": 48, "flock of": 11, "a flock of": 11,
    "herd of": 7, "a herd of": 7, "school of": 11, "a school of": 11, "group of": 5, "a group of": 5, "bunch of": 6,
    "a bunch of": 6, "swarm of": 14, "a swarm of": 14, "pack of": 5, "a pack of": 5, "row of": 5, "a row of": 5,
    "crowd of": 12, "a crowd of": 12, "family of": 4, "a family of": 4, "pile of": 6, "a pile of": 6,
    "fleet of": 5, "a fleet of": 5, "cluster of": 6, "a cluster of": 6, "lots": 10,
}  # fmt: skip

SIZES: dict[str, float] = {
    "tiny": 0.45, "miniature": 0.45, "mini": 0.5, "little": 0.66, "small": 0.66, "short": 0.8, "big": 1.4, "large": 1.4,
    "tall": 1.35, "great": 1.4, "huge": 1.75, "giant": 1.9, "gigantic": 1.95, "enormous": 1.9, "massive": 1.85,
    "towering": 1.7, "colossal": 1.95, "baby": 0.6, "grand": 1.4, "oversized": 1.5,
}  # fmt: skip

#: What is said of where a thing is in the frame.
POSITIONS: dict[str, str] = {
    "on the left": "left", "to the left": "left", "left side": "left", "on the left side": "left", "at left": "left",
    "on left": "left", "in the left corner": "left", "on the right": "right", "to the right": "right",
    "right side": "right", "on the right side": "right", "at right": "right", "on right": "right",
    "in the center": "center", "in the centre": "center", "in the middle": "center", "centered": "center",
    "at the center": "center", "center": "center", "in the sky": "top", "up in the air": "top", "in the air": "top",
    "at the top": "top", "on top": "top", "flying": "top", "floating in the sky": "top", "soaring": "top",
    "flying in the sky": "top", "at the bottom": "bottom", "in the foreground": "near", "foreground": "near",
    "close up": "near", "in the background": "far", "in the distance": "far", "far away": "far", "distant": "far",
    "on the horizon": "far", "in the top left corner": "top left", "top left": "top left", "upper left": "top left",
    "in the top right corner": "top right", "top right": "top right", "upper right": "top right",
    "bottom left": "left", "bottom right": "right",
}  # fmt: skip

#: How two things stand to each other: `on` means that the first stands on the second.
RELATIONS: dict[str, str] = {
    "on": "on", "on top of": "on", "onto": "on", "atop": "on", "sitting on": "on", "standing on": "on", "lying on": "on",
    "riding": "on", "riding on": "on", "perched on": "on", "sleeping on": "on", "next to": "beside", "beside": "beside",
    "near": "beside", "by": "beside", "close to": "beside", "alongside": "beside", "to the left of": "left of",
    "left of": "left of", "on the left of": "left of", "to the right of": "right of", "right of": "right of",
    "on the right of": "right of", "in front of": "before", "before": "before", "behind": "behind", "under": "under",
    "underneath": "under", "beneath": "under", "below": "under", "above": "above", "over": "above",
    "flying over": "above", "flying above": "above", "hovering over": "above", "hovering above": "above",
    "in": "in", "inside": "in", "sitting in": "in", "holding": "holds", "carrying": "holds", "wearing": "wears",
    "around": "beside", "with": "with", "and": "and",
}  # fmt: skip

TIMES: dict[str, str] = {
    "dawn": "dawn", "sunrise": "dawn", "daybreak": "dawn", "early morning": "dawn", "morning": "dawn", "day": "day",
    "daytime": "day", "daylight": "day", "noon": "day", "midday": "day", "afternoon": "day", "sunset": "sunset",
    "sundown": "sunset", "golden hour": "sunset", "evening": "sunset", "dusk": "dusk", "twilight": "dusk",
    "blue hour": "dusk", "night": "night", "nighttime": "night", "at night": "night", "midnight": "night",
    "moonlight": "night", "moonlit": "night", "starry": "night", "starry night": "night", "nocturnal": "night",
    "under the moon": "night", "night scene": "night",
}  # fmt: skip

WEATHERS: dict[str, str] = {
    "rain": "rain", "raining": "rain", "rainy": "rain", "drizzle": "rain", "downpour": "rain", "storm": "storm",
    "stormy": "storm", "thunderstorm": "storm", "thunder": "storm", "tempest": "storm", "snowing": "snow",
    "snow falling": "snow", "falling snow": "snow", "snowy": "snow", "snowfall": "snow", "blizzard": "snow",
    "snowstorm": "snow", "snowflakes": "snow", "fog": "fog", "foggy": "fog", "mist": "fog", "misty": "fog",
    "haze": "fog", "hazy": "fog", "cloudy": "clouds", "overcast": "overcast", "sunny": "clear", "clear sky": "clear",
    "clear": "clear", "cloudless": "clear", "windy": "wind", "wind": "wind", "sun rays": "rays", "god rays": "rays",
    "sunbeams": "rays", "light rays": "rays", "volumetric light": "rays", "falling leaves": "leaves",
}  # fmt: skip

SEASONS: dict[str, str] = {
    "spring": "spring", "springtime": "spring", "cherry blossoms": "spring", "summer": "summer", "autumn": "autumn",
    "autumnal": "autumn", "fall colors": "autumn", "fall": "autumn", "winter": "winter", "wintry": "winter",
    "christmas": "winter", "snow covered": "winter", "frozen": "winter", "halloween": "autumn",
}  # fmt: skip

MOODS: dict[str, str] = {
    "dark": "dark", "gloomy": "gloomy", "spooky": "dark", "scary": "dark", "creepy": "dark", "horror": "dark",
    "pastel": "pastel", "soft colors": "pastel", "pastel colors": "pastel", "warm": "warm", "cozy": "warm",
    "cosy": "warm", "cold": "cold", "cool": "cold", "icy": "cold", "vibrant": "vivid", "colorful": "vivid",
    "colourful": "vivid", "vivid": "vivid", "saturated": "vivid", "vivid colors": "vivid", "dreamy": "dreamy",
    "surreal": "dreamy", "ethereal": "dreamy", "whimsical": "dreamy", "dream": "dreamy", "sad": "sad",
    "melancholic": "sad", "melancholy": "sad", "happy": "happy", "cheerful": "happy", "joyful": "happy",
    "magic": "mystic", "magical": "mystic", "mystical": "mystic", "mysterious": "mystic", "fantasy": "mystic",
    "enchanted": "mystic", "retro": "vintage", "nostalgic": "vintage",
}  # fmt: skip

STYLES: dict[str, str] = {
    "illustration": "illustration", "digital art": "illustration", "cartoon": "illustration", "anime": "illustration",
    "storybook": "illustration", "children's book": "illustration", "flat": "flat", "flat design": "flat",
    "flat style": "flat", "vector": "flat", "vector art": "flat", "minimalist": "flat", "minimal": "flat",
    "minimalism": "flat", "flat illustration": "flat", "flat colors": "flat", "line art": "line art",
    "lineart": "line art", "line drawing": "line art", "coloring page": "line art", "coloring book": "line art",
    "ink drawing": "line art", "outline": "line art", "monoline": "line art", "watercolor": "watercolor",
    "watercolour": "watercolor", "aquarelle": "watercolor", "gouache": "watercolor", "watercolor painting": "watercolor",
    "pixel art": "pixel art", "pixelart": "pixel art", "8-bit": "pixel art", "8bit": "pixel art", "16-bit": "pixel art",
    "pixel": "pixel art", "pixelated": "pixel art", "neon": "neon", "neon style": "neon", "neon lights": "neon",
    "synthwave": "neon", "cyberpunk": "neon", "neon glow": "neon", "pencil": "pencil", "pencil sketch": "pencil",
    "pencil drawing": "pencil", "sketch": "pencil", "charcoal drawing": "pencil", "graphite": "pencil",
    "hand drawn": "pencil", "poster": "poster", "screen print": "poster", "travel poster": "poster", "pop art": "poster",
    "art deco": "poster", "oil": "oil", "oil painting": "oil", "oil on canvas": "oil", "impasto": "oil",
    "impressionist": "oil", "impressionism": "oil", "van gogh": "oil", "monet": "oil", "painting": "oil",
    "acrylic": "oil", "painterly": "oil", "papercut": "papercut", "paper cut": "papercut", "paper art": "papercut",
    "cut paper": "papercut", "paper craft": "papercut", "papercraft": "papercut", "layered paper": "papercut",
    "origami": "papercut", "blueprint": "blueprint", "technical drawing": "blueprint", "schematic": "blueprint",
    "vintage photo": "vintage", "vintage": "vintage", "sepia": "vintage", "old photo": "vintage", "noir": "noir",
    "film noir": "noir", "black and white photo": "noir", "monochrome": "noir", "greyscale": "noir", "grayscale": "noir",
    "black-and-white": "noir", "silhouette": "noir",
}  # fmt: skip

GARMENTS = frozenset(
    "dress shirt coat robe cape cloak suit hoodie jacket sweater jumper gown uniform kimono armor armour blouse skirt "
    "outfit clothes clothing scarf costume tunic vest t-shirt".split()
)

#: A close view of one person or animal.
CLOSE = frozenset(("portrait", "headshot", "close-up", "closeup", "selfie", "upper body", "head and shoulders", "face", "bust"))

#: What a picture without any thing may be about, by a word that is not a thing.
EVOKED: dict[str, str] = {
    "love": "heart", "romance": "rose", "romantic": "rose", "freedom": "bird", "peace": "bird", "hope": "sun",
    "music": "guitar", "melody": "guitar", "song": "guitar", "birthday": "cake", "party": "balloon", "celebration": "balloon",
    "adventure": "hot air balloon", "journey": "train", "travel": "airplane", "voyage": "ship", "time": "clock",
    "knowledge": "book", "wisdom": "owl", "story": "book", "royal": "crown", "power": "lightning", "war": "sword",
    "battle": "sword", "space travel": "rocket", "exploration": "rocket", "halloween": "pumpkin", "christmas": "pine tree",
    "easter": "rabbit", "summer vacation": "umbrella", "harvest": "pumpkin", "breakfast": "cup", "joy": "balloon",
    "loneliness": "tree", "solitude": "tree", "growth": "tree", "magic": "wizard", "luxury": "crystal",
    "treasure hunt": "treasure chest", "winter holidays": "snowman", "speed": "car", "future": "robot",
}  # fmt: skip

#: Words that say nothing about what is in the picture.
SKIPPED = frozenset(
    "the of at to from is are was be been being it its this that these those as for into there here his her their my our "
    "very really so masterpiece best quality high highly detailed ultra 4k 8k hd uhd hdr resolution absurdres highres "
    "beautiful gorgeous stunning amazing pretty cute lovely adorable nice perfect epic cinematic lighting sharp focus "
    "photorealistic realistic photo photograph photography picture image art artwork drawing draw render rendering 3d cg "
    "trending artstation unreal engine octane style styled in-style scene view shot wide angle depth field intricate "
    "elegant smooth professional award winning background composition color colors colour colours colored coloured "
    "looking viewer standing sitting walking running smiling eating drinking playing sleeping jumping swimming sailing "
    "wooden old young new fluffy round shiny ancient modern rustic solo full body detailed dramatic ambient natural "
    "light lights shadow shadows made out up down covered full filled two-tone small-scale lit glowing by-the wild "
    "score_9 score_8_up score_7_up raw bokeh-effect illustration-style".split()
)
