"""Tells the language of a text: by its script, and where many share one, by letters and the commonest words."""

# ruff: noqa: E501, RUF001 - tables, as people write

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

#: First and last character of a script, and the language that is the likeliest in it.
_SCRIPTS = (
    ("\u0370", "\u03ff", "el"),
    ("\u0400", "\u052f", "ru"),
    ("\u0530", "\u058f", "hy"),
    ("\u0590", "\u05ff", "he"),
    ("\u0600", "\u06ff", "ar"),
    ("\u0900", "\u097f", "hi"),
    ("\u0980", "\u09ff", "bn"),
    ("\u0a00", "\u0a7f", "pa"),
    ("\u0a80", "\u0aff", "gu"),
    ("\u0b00", "\u0b7f", "or"),
    ("\u0b80", "\u0bff", "ta"),
    ("\u0c00", "\u0c7f", "te"),
    ("\u0c80", "\u0cff", "kn"),
    ("\u0d00", "\u0d7f", "ml"),
    ("\u0d80", "\u0dff", "si"),
    ("\u0e00", "\u0e7f", "th"),
    ("\u1000", "\u109f", "my"),
    ("\u10a0", "\u10ff", "ka"),
    ("\u1200", "\u137f", "am"),
    ("\u3040", "\u30ff", "ja"),
    ("\u4e00", "\u9fff", "cmn"),
    ("\uac00", "\ud7af", "ko"),
)

#: Letters that tell a language from the likeliest one of its script.
_LETTERS: Mapping[str, Mapping[str, str]] = {
    "ru": {"uk": "іїєґ", "be": "ў", "sr": "ђћџљњ", "mk": "ѓќѕ", "kk": "әғқңұһ"},
    "ar": {"ur": "ٹڈڑںے", "fa": "پچژگ"},
}

#: Common words by language. English has the most, because a wrong guess is worst where most texts are.
#: The first language is spoken when nothing in a text says otherwise.
_WORDS = {
    "en-us": (
        "a about after all am an and any are as at back be been before best big but by call can come could cat day did "
        "do does dog don every find fire first for from get give go good great had has have he hello her here hi his "
        "home house how i if in into is it its just keep know last let life like little long look love made make man "
        "many may me might minute more most much must my name new next nice night no not now of off old on once one "
        "only open or other our out over people place please problem put ready red right said say secret see she should "
        "so some stop street such take tell than thank thanks that the their them then there these they thing this "
        "those time to today too turn two under up upon us very want was way we welcome well were what when where which "
        "while who why will with without world would year yes you young your"
    ),
    "de": (
        "der die das und ist nicht ein eine einen ich du sie er mit auf für zu den wir von auch es dem sich im am im "
        "was wie wo wer heute morgen guten gute tag abend nacht bitte danke ja nein hallo mein meine dein kein haus "
        "hund katze mann frau sind bin bist habe hat aber oder wenn noch schon sehr gut schön über nach bei aus geht"
    ),
    "fr": (
        "le la les des est une un et je tu vous nous dans que pas pour qui avec sur il elle du au suis là à ce ne ça "
        "bonjour bonsoir merci oui non comment mon ma mes ton sa ses son chat chien maison jour tout très bien beau "
        "où quand aime fait sont ont mais ou donc si plus cette ces de en y"
    ),
    "es": (
        "el la los las un una que es por con para como pero de del está están esta este muy y no se lo mi tu son yo en "
        "al hola gracias buenos buenas días noches dónde donde cuando qué cómo estás me te quiero llamo casa perro gato "
        "día mundo todo todos hay hace más sí a o su ser tiene amigo señor mucho muchas"
    ),
    "it": (
        "il la le gli i che è e di un uno una per non con sono questo questa del della nel più anche ma ho ha come dove "
        "lo si ti mi a al da in ciao buongiorno buonasera grazie sì tutti tutto molto bello bella casa gatto cane amo "
        "chiamo stai sta va giorno notte quando perché mio mia tuo"
    ),
    "pt": (
        "o a os as um uma que não é e com para por como mas de do da dos das em no na você vocês muito são eu isso ao "
        "mais está estou bom boa dia noite obrigado obrigada tudo te amo sei onde fica casa gato cachorro meu minha ele "
        "ela se ou já também"
    ),
    "nl": (
        "de het een en van in is niet ik je jij dat dit die met voor zijn op maar ook wij we naar deze bij te aan er "
        "goedemorgen hallo dank waar wat hoe wie huis hond kat dag mooie mooi goed hou jou mijn heb heeft ben bent gaat "
        "allemaal"
    ),
    "sv": (
        "och är det att en ett inte jag du vad som på med för har den till av om vi men i min din hej tack god huset "
        "hunden dig mig sig heter hur var kan ska vill mycket bra dag älskar"
    ),
    "da": (
        "og er det at en et ikke jeg du som på med for har den til af vi men i hvad hvor hvordan min din hej tak god "
        "huset hunden dig mig sig hedder kan skal vil meget dag elsker"
    ),
    "nb": (
        "og er det at en et ikke jeg du som på med for har den til av vi men i hva hvor hvordan min din hei takk god "
        "huset hunden deg meg seg heter kan skal vil mye dag elsker"
    ),
    "fi": (
        "ja on ei se hän että minä sinä olen olet tämä mutta kun niin myös ovat oli kuin mitä missä hyvää päivää kiitos "
        "moi hei talossa koira kissa sinua minua kanssa joka"
    ),
    "pl": (
        "i w nie się to jest na że z do jak ale co po tak był dla jestem od czy gdzie kto dzień dobry dziękuję cześć "
        "mój moja pies kot dom masz mam kocham cię bardzo"
    ),
    "cs": (
        "a je se na že to v ne jsem ale jak co tak byl pro jsou když by za si kde kdo dobrý den děkuji ahoj můj moje "
        "pes kočka dům máš mám miluji tě domě velmi"
    ),
    "tr": (
        "ve bir bu da ne için çok ama ben sen değil var yok gibi daha şey o ile kadar merhaba evet hayır teşekkür nerede "
        "nasıl güzel seni beni seviyorum ev köpek kedi iyi günaydın"
    ),
    "ro": (
        "și este e nu un o că în pe cu la de sunt mai dar ce din se am care pentru bună ziua mulțumesc te unde cine mă "
        "casă câine pisică foarte iubesc faci gara"
    ),
    "hu": (
        "a az és hogy nem is egy van ez meg de mint volt csak már ha vagy én te itt mi jó napot reggelt köszönöm igen "
        "szia ház kutya nagy szép nap hol ki nagyon szeretlek tudom alszik kívánok"
    ),
    "vi": "và của không một có cho tôi được người này với các những trong đã bạn nhưng xin chào là yêu cảm ơn rất",
    "id": (
        "dan yang di itu ini tidak untuk dengan saya aku kamu dari ada akan pada ke kita apa adalah selamat pagi siang "
        "malam terima kasih rumah besar anjing kucing sangat bisa tahu"
    ),
}

#: Letters beyond the 26 that a language writes.
_ACCENTED: Mapping[str, str] = {
    "de": "äöüß",
    "fr": "àâçéèêëîïôûùœ",
    "es": "áéíóúñ¿¡",
    "it": "àèéìòù",
    "pt": "áâãàçéêíóôõú",
    "sv": "åäö",
    "da": "æøå",
    "nb": "æøå",
    "fi": "äö",
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýž",
    "tr": "çğıöşü",
    "ro": "ăâîșț",
    "hu": "áéíóöőúüű",
    "vi": "ăâđêôơưạảấầậắếềệịọộớờợụứừựẹẻẽễỉĩỏốồổỗởỡủũửữỳỵỷỹ",
}


def _owners(by_language: Mapping[str, str], split: Callable[[str], Iterable[str]]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, line in by_language.items():
        for part in dict.fromkeys(split(line)):
            found.setdefault(part, []).append(name)
    return found


_OF_WORDS = _owners(_WORDS, str.split)
_OF_LETTERS = _owners(_ACCENTED, list)

#: What a word or a letter that is one language's alone is worth, and a word of one letter, which tells little.
_OWN, _TINY = 12, 6


def language(text: str) -> str:
    """The likeliest language of a text."""
    scripts = Counter(found for character in text if (found := _script(character)))
    letters = sum(character.isalpha() for character in text)
    if not scripts or sum(scripts.values()) * 2 < letters:
        return _latin(text)
    # Japanese is mostly written in Chinese characters, with some of its own between them.
    likeliest = "ja" if scripts["ja"] and scripts["ja"] * 9 > scripts["cmn"] else scripts.most_common(1)[0][0]
    for other, telling in _LETTERS.get(likeliest, {}).items():
        if any(letter in text.lower() for letter in telling):
            return other
    return likeliest


def _script(character: str) -> str:
    if character < "\u0370":
        return ""
    return next((language for first, last, language in _SCRIPTS if first <= character <= last), "")


def _latin(text: str) -> str:
    """By the words and letters, of which rare ones tell more."""
    # Composed, because a letter and its accent may come apart.
    small = unicodedata.normalize("NFC", text).replace("İ", "i").lower()
    points: Counter[str] = Counter()
    for word in re.findall(r"[^\W\d_]+", small):
        owners = _OF_WORDS.get(word, ())
        for found in owners:
            points[found] += (_OWN if len(word) > 1 else _TINY) // len(owners)
    for letter in set(small):
        owners = _OF_LETTERS.get(letter, ())
        for found in owners:
            points[found] += _OWN // len(owners)
    # Of several with as many points, the first of the table.
    return max(_WORDS, key=lambda name: points[name])
