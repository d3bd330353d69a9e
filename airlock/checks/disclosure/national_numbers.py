"""Knows the check digits and dates of national personal numbers."""

import re
from collections.abc import Callable

_PLAIN_11 = re.compile(r"(?<![A-Za-z\d.,])\d{11}(?![\d.,]*\d)")


def digits_of(text: str) -> list[int]:
    """Return the digits of a text in order."""
    return [int(letter) for letter in text if letter.isdigit() and letter.isascii()]


def weighed(digits: list[int], weights: tuple[int, ...]) -> int:
    """Return the sum of digits times weights."""
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def luhn_sum(digits: list[int], *, first: int) -> int:
    """Return the Luhn sum, doubling from digit `first` on."""
    total = 0
    for at, digit in enumerate(digits):
        doubled = digit * (2 if (at + first) % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total


def _is_day(day: int, month: int) -> bool:
    return 1 <= day <= 31 and 1 <= month <= 12


def _nhs(text: str) -> bool:
    """United Kingdom, NHS number: weights 10 to 2, modulus 11."""
    digits = digits_of(text)
    rest = 11 - weighed(digits, tuple(range(10, 1, -1))) % 11
    return len(set(digits)) > 1 and digits[9] == (0 if rest == 11 else rest)


def _personnummer(text: str) -> bool:
    """Sweden: a date, then the Luhn sum of the last ten digits."""
    digits = digits_of(text)[-10:]
    day, month = digits[4] * 10 + digits[5], digits[2] * 10 + digits[3]
    return _is_day(day % 60, month) and luhn_sum(digits, first=1) % 10 == 0


def _kvnr(text: str) -> bool:
    """Germany, health insurance: letter as two digits, alternating weights 1 and 2, sums of digits."""
    letter = ord(text[0]) - 64
    digits = [letter // 10, letter % 10, *digits_of(text)[:8]]
    return luhn_sum(digits, first=0) % 10 == int(text[-1])


def _steuer_id(text: str) -> bool:
    """Germany, tax: one digit twice or three times, ISO 7064 modulus 11, 10."""
    digits = digits_of(text)
    often = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if digits[0] == 0 or often[-1] not in (2, 3) or often.count(1) != len(often) - 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def _foedselsnummer(text: str) -> bool:
    """Norway: a date and two check digits."""
    digits = digits_of(text)
    day, month = digits[0] * 10 + digits[1], digits[2] * 10 + digits[3]
    first = weighed(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    second = weighed(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    return _is_day(day % 40, month % 40) and first == 0 and second == 0


def _cpr(text: str) -> bool:
    """Denmark: a date and modulus 11; numbers without the latter exist, but a hyphen alone is no proof."""
    digits = digits_of(text)
    return (
        _is_day(digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
        and weighed(digits, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def _hetu(text: str) -> bool:
    """Finland: a date and a letter, modulus 31."""
    digits = digits_of(text[:6] + text[7:10])
    day, month = digits[0] * 10 + digits[1], digits[2] * 10 + digits[3]
    number = int("".join(map(str, digits)))
    return _is_day(day, month) and "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] == text[-1]


def _pesel(text: str) -> bool:
    """Poland: a date whose month says the century, weights 1 3 7 9."""
    digits = digits_of(text)
    day, month = digits[4] * 10 + digits[5], (digits[2] * 10 + digits[3]) % 20
    return _is_day(day, month) and weighed(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _rijksregister(text: str) -> bool:
    """Belgium: a date and modulus 97."""
    digits = "".join(map(str, digits_of(text)))
    if not _is_day(int(digits[4:6]), int(digits[2:4])):
        return False
    return int(digits[9:]) in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)


def _nir(text: str) -> bool:
    """France: sex, year, month, place, order, modulus 97."""
    plain = text.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return 1 <= int(plain[3:5]) <= 12 and 97 - int(plain[:13]) % 97 == int(plain[13:15])


def _dni(text: str) -> bool:
    """Spain: eight digits and a letter, modulus 23; foreigners begin with X, Y or Z."""
    number = text[:-1].replace("-", "").replace("X", "0").replace("Y", "1").replace("Z", "2")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1]


_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def _codice_fiscale(text: str) -> bool:
    """Italy: sixteen letters and digits, the last worked out from the others."""
    values = [int(letter) if letter.isdigit() else ord(letter) - 65 for letter in text[:15]]
    total = sum(_ODD[value] if at % 2 == 0 else value for at, value in enumerate(values))
    return chr(65 + total % 26) == text[15]


def _ahv(text: str) -> bool:
    """Switzerland: thirteen digits from 756, check digit as in EAN-13."""
    digits = digits_of(text)
    return weighed(digits, (1, 3) * 6 + (1,)) % 10 == 0


def _ssn(text: str) -> bool:
    """United States: ranges that were given out."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _cpf(text: str) -> bool:
    """Brazil: two check digits, modulus 11."""
    digits = digits_of(text)
    first = weighed(digits, tuple(range(10, 1, -1))) * 10 % 11 % 10
    second = weighed(digits, tuple(range(11, 1, -1))) * 10 % 11 % 10
    return len(set(digits)) > 1 and digits[9:] == [first, second]


def _bsn(text: str) -> bool:
    """Netherlands: the eleven-proof, which one in eleven numbers passes, so only beside its name."""
    digits = digits_of(text)
    return len(digits) == 9 and weighed(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _personnummer_12(text: str) -> bool:
    """Sweden, written without a hyphen: twelve digits from a year of birth."""
    return text[:2] in ("19", "20") and _personnummer(text)


def _rodne_cislo(text: str) -> bool:
    """Czechia and Slovakia: a date, women's months 50 up, modulus 11."""
    digits = digits_of(text)
    day, month = digits[4] * 10 + digits[5], digits[2] * 10 + digits[3]
    return _is_day(day, month % 50 % 20) and (len(digits) == 9 or int("".join(map(str, digits))) % 11 in (0, 10))


def _isikukood(text: str) -> bool:
    """Estonia and Lithuania: sex and century, a date, two rounds of modulus 11."""
    digits = digits_of(text)
    if not 1 <= digits[0] <= 8 or not _is_day(digits[5] * 10 + digits[6], digits[3] * 10 + digits[4]):
        return False
    rest = weighed(digits, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weighed(digits, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return digits[10] == rest


def _svnr(text: str) -> bool:
    """Austria: a number, its check digit, a date."""
    digits = digits_of(text)
    rest = weighed(digits, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11
    return _is_day(digits[4] * 10 + digits[5], digits[6] * 10 + digits[7]) and digits[3] == rest


def _cnp(text: str) -> bool:
    """Romania: sex and century, a date, modulus 11."""
    digits = digits_of(text)
    rest = weighed(digits, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    day, month = digits[5] * 10 + digits[6], digits[3] * 10 + digits[4]
    return digits[0] > 0 and _is_day(day, month) and digits[12] == (1 if rest == 10 else rest)


def _aadhaar(text: str) -> bool:
    """India: twelve digits in groups of four, Verhoeff's check digit."""
    value = 0
    for at, digit in enumerate(reversed(digits_of(text))):
        value = _DIHEDRAL[value][_permuted(digit, at)]
    return value == 0


_DIHEDRAL = tuple(
    tuple(
        (a + b) % 5
        if a < 5 and b < 5
        else 5 + (a + b - 5) % 5
        if a < 5
        else 5 + (a - 5 - b) % 5
        if b < 5
        else (a - b) % 5
        for b in range(10)
    )
    for a in range(10)
)
_TURNS = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permuted(digit: int, times: int) -> int:
    for _ in range(times % 8):
        digit = _TURNS[digit]
    return digit


def _sin(text: str) -> bool:
    """Canada: nine digits in groups of three, Luhn."""
    digits = digits_of(text)
    return digits[0] not in (0, 8) and len(set(digits)) > 1 and luhn_sum(digits, first=0) % 10 == 0


def _resident_id(text: str) -> bool:
    """China: place, date, order, ISO 7064 modulus 11, 2."""
    values = [int(letter) if letter.isdigit() else 10 for letter in text]
    total = sum(value * pow(2, 17 - at, 11) for at, value in enumerate(values))
    return _is_day(int(text[12:14]), int(text[10:12])) and total % 11 == 1


def _pps(text: str) -> bool:
    """Ireland: seven digits and one or two letters, modulus 23."""
    digits = digits_of(text)
    second = ord(text[8]) - 64 if len(text) > 8 and text[8] != "W" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighed(digits, (8, 7, 6, 5, 4, 3, 2)) + 9 * second) % 23] == text[7]


def _iban(text: str) -> bool:
    """Bank accounts: ISO 7064 modulus 97."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (re.compile(r"(?<![A-Za-z\d.,])\d{3}([ -]?)\d{3}\1\d{4}(?![\d.,]*\d)"), _nhs),
    (re.compile(r"(?<![A-Za-z\d])(?:19|20)?\d{6}[-+]\d{4}(?!\d)"), _personnummer),
    (re.compile(r"(?<![A-Za-z0-9])[A-Z]\d{9}(?!\d)"), _kvnr),
    (_PLAIN_11, _steuer_id),
    (re.compile(r"(?<![A-Za-z\d.,])\d{6} ?\d{5}(?![\d.,]*\d)"), _foedselsnummer),
    (re.compile(r"(?<![A-Za-z\d])\d{6}-\d{4}(?!\d)"), _cpr),
    (re.compile(r"(?<![A-Za-z0-9])\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y](?![A-Za-z0-9])"), _hetu),
    (_PLAIN_11, _pesel),
    (re.compile(r"(?<![A-Za-z\d.,])\d{2}\.?\d{2}\.?\d{2}[- ]?\d{3}[. ]?\d{2}(?![\d.,]*\d)"), _rijksregister),
    (re.compile(r"(?<![A-Za-z\d.,])[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?![\d.,]*\d)"), _nir),
    (re.compile(r"(?<![A-Za-z0-9])(?:\d{8}|[XYZ]-?\d{7})-?[A-HJ-NP-TV-Z](?![A-Za-z0-9])"), _dni),
    (
        re.compile(r"(?<![A-Za-z0-9])[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z](?![A-Za-z0-9])"),
        _codice_fiscale,
    ),
    (re.compile(r"(?<![A-Za-z\d.,])756\.?\d{4}\.?\d{4}\.?\d{2}(?![\d.,]*\d)"), _ahv),
    (re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"), _ssn),
    (re.compile(r"(?<![A-Za-z\d.,])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)"), _cpf),
    (re.compile(r"(?<![A-Za-z])(?:BSN|burgerservicenummer)\W{0,3}\d{9}(?!\d)", re.IGNORECASE), _bsn),
    (re.compile(r"(?<![A-Za-z\d.,])[1-9]\d \d{3} \d{3} \d{3}(?![\d.,]*\d)"), _steuer_id),
    (re.compile(r"(?<![A-Za-z\d.,])(?:19|20)\d{10}(?![\d.,]*\d)"), _personnummer_12),
    (re.compile(r"(?<![\w/])\d{6}/\d{3,4}(?![\w/])"), _rodne_cislo),
    (_PLAIN_11, _isikukood),
    (re.compile(r"(?<![A-Za-z\d.,])\d{4} ?\d{6}(?![\d.,]*\d)"), _svnr),
    (re.compile(r"(?<![A-Za-z\d.,])[1-9]\d{12}(?![\d.,]*\d)"), _cnp),
    (re.compile(r"(?<![\d.,] )(?<![A-Za-z\d.,])\d{4} \d{4} \d{4}(?!\d)(?! \d)"), _aadhaar),
    (re.compile(r"(?<![A-Za-z\d.,-])\d{3}-\d{3}-\d{3}(?![\d-])"), _sin),
    (re.compile(r"(?<![A-Za-z\d])\d{6}(?:19|20)\d{9}[\dX](?![A-Za-z\d])"), _resident_id),
    (re.compile(r"(?<![A-Za-z\d])\d{7}[A-W][A-IW]?(?![A-Za-z\d])"), _pps),
    (re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"), _iban),
)


def holds_number(line: str) -> bool:
    """Return whether a text holds a number of a person, told by its check digits."""
    return any(is_one(match.group()) for pattern, is_one in NUMBERS for match in pattern.finditer(line))
