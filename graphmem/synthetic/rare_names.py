"""Names of the shapes that names seldom have, made up by seed: other scripts, rare words, numbers, dates, codes.

A language model finishes what it has begun in its own way, the surer the better it knows the script or the stem; the
readings learn to go on with the name all the same. Nothing here is anybody's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

ALPHABETS = (
    ("бвгджзклмнпрстфхцчш", "аеиоуыюяё", ("ский", "ов", "ва", "бург", "град", "ич", "ль", "")),
    ("бвгдђжзјклљмнњпрстћцчџш", "аеиоу", ("ић", "ац", "ево", "")),
    ("бвгґджзйклмнпрстхцчш", "аеиоуіїєюя", ("ів", "енко", "ськ", "")),
    ("βγδζθκλμνξπρστφχψ", "αεηιουω", ("ος", "ης", "άκης", "όπουλος", "")),
    ("bcdfghjklmnprstvwz", "aáeéiíoóuúýæøöü", ("ström", "sson", "dóttir", "ý", "")),
    ("bcčćdđfghjklłmnńprřsśštťvwzźžż", "aąeęěioóuyí", ("ski", "ová", "icz", "ović", "")),
    ("bcçdfgğhjklmnprsştvyz", "aeıioöuü", ("oğlu", "gül", "dağ", "")),
    ("bcdđghklmnprstvx", "aăâeêioôơuưạảấầậắếềệịỉốồộờợụủứừựỳ", ("nh", "ng", "")),
    ("bbhcchddhgghjjhkkhlmnpphrsshtthvwy", "aaeeiioouu", ("shan", "pong", "varma", "kul", "wati", "")),
    ("bcdfghjklmnpqrstvwxyz", "aeiouy", ("ell", "wicz", "vitch", "gaard", "aux", "")),
)
"""Consonants, vowels and endings of scripts and of ways to use the Latin one."""

RUNS = (
    "אבגדהוזחטיכלמנסעפצקרשת", "ابتجحدرزسشصطعفقكلمنهوي", "কখগঘচজটডতদনপবমযরলশসহ", "कखगघचजटडतदनपबमयरलवशसह",
    "กขคงจชดตทนบปผพมยรลวสหอ", "აბგდევზთიკლმნოპრსტუქღყშჩცძწჭხჯჰ", "աբգդեզէթիլխծկհձղճմյնշոչպջռսվտրցփքօ",
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわん",
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワンー",
    "山川田中村本野大小東西南北京都府県市町国民人日月火水木金土石上下林森海島江河湖王李張劉陳楊黄趙吴周徐孫馬朱胡郭何高",
)  # fmt: skip
"""Letters of scripts that are written without case, or without vowels."""

Maker = Callable[[Random, Sequence[str]], str]


def rare_name(rng: Random, names: Sequence[str]) -> str:
    """A name of ``names``, or, in three cases of four, something odd made of them or of nothing."""
    return rng.choice(_MAKERS)(rng, names)


def word(rng: Random, alphabet: tuple[str, str, tuple[str, ...]] | None = None) -> str:
    """A made-up word with a capital, in an alphabet of ``ALPHABETS``; in any when None."""
    consonants, vowels, endings = alphabet or rng.choice(ALPHABETS)
    syllables = (rng.choice(consonants) + rng.choice(vowels) + _some(rng, consonants) for _ in range(rng.randint(1, 4)))
    return ("".join(syllables) + rng.choice(endings)).capitalize()


def _some(rng: Random, letters: str) -> str:
    return rng.choice(letters) if rng.random() < 0.4 else ""


def _plain(rng: Random, names: Sequence[str]) -> str:
    return rng.choice(names)


def _words(rng: Random, names: Sequence[str]) -> str:
    alphabet = rng.choice(ALPHABETS)
    return rng.choice((" ", " ", "-", ", ")).join(word(rng, alphabet) for _ in range(rng.randint(1, 3)))


def _run(rng: Random, names: Sequence[str]) -> str:
    letters = rng.choice(RUNS)
    if rng.random() < 0.15:
        letters = "".join(chr(0xAC00 + rng.randrange(11_172)) for _ in range(8))  # Hangul
    return " ".join("".join(rng.choices(letters, k=rng.randint(2, 6))) for _ in range(rng.choice((1, 1, 2))))


def _long(rng: Random, names: Sequence[str]) -> str:
    return " ".join(rng.choice(names) for _ in range(rng.randint(2, 3)))[:120]


def _number(rng: Random, names: Sequence[str]) -> str:
    whole = rng.choice((rng.randint(0, 99), rng.randint(1000, 2030), rng.randint(10**4, 10**9)))
    return rng.choice((f"{whole}", f"{whole:,}", f"-{whole}", f"${whole:,}"))


def _measure(rng: Random, names: Sequence[str]) -> str:
    unit = rng.choice(("", " km", " million", "%", " kg", " °C", " m²", " hours"))
    return f"{rng.randint(0, 999)}.{rng.randint(0, 99)}{unit}"


def _date(rng: Random, names: Sequence[str]) -> str:
    year, month, day = rng.randint(1000, 2030), rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice((f"{year}-{month:02d}-{day:02d}", f"{day:02d}/{month:02d}/{year}", f"{day} {word(rng)} {year}"))


def _code(rng: Random, names: Sequence[str]) -> str:
    letters = "".join(rng.choices("ABCDEFGHIKLMNOPRSTUVXZabcdefghiklmnoprstuvxz", k=rng.randint(2, 6)))
    host = f"{word(rng).lower()}.{rng.choice(('org', 'net', 'info'))}"
    return rng.choice(
        (f"{letters}-{rng.randint(1, 999)}", f"https://{host}/{letters}", f"{letters}@{host}", f"{letters}_{word(rng)}")
    )


def _titled(rng: Random, names: Sequence[str]) -> str:
    name = rng.choice(names)
    letter = lambda: rng.choice("ABCDEFGHJKLM")
    return rng.choice(
        (f"{letter()}. {letter()}. {name}, Jr.", f"{name} ({letter()}{letter()}-{rng.randint(1, 99)})",
         f"{name}'s {word(rng)}", f"{name} & {word(rng)}, Ltd.", f"{word(rng)} {name.split()[-1]}")
    )  # fmt: skip


_MAKERS: tuple[Maker, ...] = (
    (_plain,) * 4 + (_words,) * 3 + (_run, _run, _long, _number, _measure, _date, _code, _titled)
)
