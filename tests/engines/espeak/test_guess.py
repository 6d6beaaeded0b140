"""How often the guess of a language is right, on sentences that its tables were not made from."""

# ruff: noqa: E501, RUF001 - tables, as people write

from __future__ import annotations

import pytest

from heddle.engines.espeak import guess

#: Short English whose words other languages have as well: a wrong guess here is heard by most callers.
ENGLISH = [
    "My name is a secret.", "a", "I", "I am here", "Go to a park", "No problem", "In a minute", "I see a cat", "A red fox in a field",
    "He is at a bar", "Look at me", "She has a dog", "Name a city", "So am I", "Come on in", "Fire in a barn", "Is a hot dog a sandwich?",
    "As I lay dying", "I am a man", "Can I go?", "Man is a wolf to man", "a boat at sea", "Once upon a time", "Welcome home", "Do as I do",
    "the sun is killing me", "a café in a side street", "portrait of an old fisherman", "a field of oilseed rape",
]  # fmt: skip

#: Ten short sentences each, written after the tables.
OTHERS = {
    "de": "Können Sie mir helfen?|Das Wetter wird morgen besser|Mach die Tür zu|Wir treffen uns um acht|Er liest ein Buch|Kinder spielen im Garten|Schnee fällt leise|Viel Glück!|Meine Mutter kocht Suppe|Die Sonne scheint",
    "fr": "Pouvez-vous m'aider ?|Il pleut depuis hier|Ferme la porte|Les enfants jouent dehors|Bonne chance|Ma mère fait la cuisine|Le soleil brille|Nous allons au marché|J'ai faim|Un café, s'il vous plaît",
    "es": "¿Puede ayudarme?|Llueve desde ayer|Cierra la puerta|Los niños juegan fuera|Buena suerte|Mi madre cocina sopa|El sol brilla|Vamos al mercado|Tengo hambre|Un café, por favor",
    "it": "Può aiutarmi?|Piove da ieri|Chiudi la porta|I bambini giocano fuori|Buona fortuna|Mia madre cucina la zuppa|Il sole splende|Andiamo al mercato|Ho fame|Un caffè, per favore",
    "pt": "Pode me ajudar?|Chove desde ontem|Feche a porta|As crianças brincam lá fora|Boa sorte|Minha mãe faz sopa|O sol brilha|Vamos ao mercado|Estou com fome|Um café, por favor",
    "nl": "Kunt u mij helpen?|Het regent sinds gisteren|Doe de deur dicht|De kinderen spelen buiten|Veel geluk|Mijn moeder maakt soep|De zon schijnt|Wij gaan naar de markt|Ik heb honger|Een koffie alstublieft",
    "pl": "Czy może mi pani pomóc?|Pada od wczoraj|Zamknij drzwi|Dzieci bawią się na dworze|Powodzenia|Moja mama gotuje zupę|Słońce świeci|Idziemy na targ|Jestem głodny|Poproszę kawę",
    "sv": "Kan du hjälpa mig?|Det har regnat sedan igår|Stäng dörren|Barnen leker ute|Lycka till|Min mamma lagar soppa|Solen skiner|Vi går till marknaden|Jag är hungrig|En kaffe, tack",
    "hu": "Tudna segíteni?|Tegnap óta esik|Csukd be az ajtót|A gyerekek kint játszanak|Sok szerencsét|Anyám levest főz|Süt a nap|Megyünk a piacra|Éhes vagyok|Egy kávét kérek",
    "tr": "Bana yardım eder misiniz?|Dünden beri yağmur yağıyor|Kapıyı kapat|Çocuklar dışarıda oynuyor|Bol şans|Annem çorba yapıyor|Güneş parlıyor|Pazara gidiyoruz|Karnım aç|Bir kahve lütfen",
}  # fmt: skip


@pytest.mark.parametrize("text", ENGLISH)
def test_plain_english_is_english(text: str) -> None:
    assert guess.language(text) == "en-us"


def test_two_of_three_short_sentences_of_other_languages_are_told() -> None:
    right = {name: sum(guess.language(s) == name for s in line.split("|")) for name, line in OTHERS.items()}
    assert sum(right.values()) >= 66, right
    assert min(right.values()) >= 5, right


def test_a_letter_and_its_accent_may_come_apart() -> None:
    assert guess.language("Ho\u030cr\u030ci\u0301") == guess.language("Hǒří") == "cs"
