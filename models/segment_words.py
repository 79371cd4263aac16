"""What a field's name says about its value: a person's, a measure, or neither."""

import re
from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WHO = _words(
    "firstname lastname fullname givenname familyname middlename maidenname surname forename "
    "nickname nick username login handle screenname initials vorname nachname nom prenom nombre "
    "apellido apellidos email emails mail mails phone phones mobile cell cellphone telephone tel "
    "telefon telefono fax msisdn whatsapp wechat weixin qq telegram viber skype instagram "
    "facebook twitter linkedin tiktok weibo address addresses addr adresse direccion street "
    "strasse road zip zipcode postcode postal postalcode plz apartment latitude longitude lat lng "
    "lon geo gps coordinates ip ips ipv4 ipv6 useragent cookie cookies password passwd pwd "
    "passphrase secret token session auth authorization credential credentials apikey ssn passport "
    "license licence taxid vat iban bic swift card cardnumber cvv cvc pan bank account avatar "
    "photo portrait selfie birthplace birthdate dob birth birthday idfa idfv gaid adid advertising "
    "imei imsi mac fingerprint signature website homepage company employer organization "
    "organisation"
)
_COMPOUNDS = _words(
    "postcode postalcode zipcode useragent ipaddress emailaddress firstname lastname username "
    "phonenumber cardnumber birthdate"
)
_PERSONS = _words(
    "user userid customer customerid client clientid visitor anonymous person contact "
    "contacts recipient receiver sender addressee buyer payer member employee staff agent cashier "
    "author reviewer guest parent spouse child children friend referrer device deviceid uid guid "
    "owner"
)
_WRITINGS = _words(
    "note notes comment comments message messages msg text body description subject remark "
    "remarks memo feedback bio about review question answer greeting wish story transcript "
    "instructions complaint"
)
_ATTRIBUTES = _words(
    "type segment tier level group status since count score class category kind age gender lang "
    "language currency country state city total value amount points enabled verified"
)
_MEASURES = _words(
    "id ids sku ean gtin upc barcode isbn asin code number no at on time timestamp date day month "
    "year ms seconds price total amount cents value revenue tax shipping discount subtotal "
    "quantity qty count version size weight width height length score rating index position rank "
    "ref reference hash step views points"
)
_THINGS = _words(
    "product category brand campaign coupon event page list item items promotion promo affiliation "
    "store shop warehouse file plan experiment variation template variant sku collection color "
    "colour channel library app os browser model field option tier segment feature tab button form "
    "screen section menu creative ad carrier method currency country region city audience "
    "rule products categories brands campaigns coupons events pages lists stores shops variants"
)
_NAME_PARTS = _words("first last full given family middle maiden")
_NAMING = _words(
    "name names firstname lastname fullname givenname familyname surname forename nickname "
    "username login vorname nachname nom prenom nombre apellido apellidos email emails mail phone "
    "phones mobile cell telephone tel telefon telefono whatsapp wechat weixin qq street strasse "
    "contact recipient receiver sender addressee buyer guest"
)
_HAN = _words(
    "姓 名字 暱稱 昵称 电话 電話 手机 手機 邮箱 郵箱 邮件 郵件 地址 住址 微信 身份证 身分證 护照 "
    "護照 备注 備註 留言 收件人 收货人 收貨人 联系人 聯絡人 银行卡 銀行卡 生日 密码 密碼 公司 客户 "
    "客戶 用户 用戶"
)
_HAN_NAMING = _words(
    "姓 名 昵称 暱稱 电话 電話 手机 手機 邮箱 郵箱 邮件 郵件 地址 住址 收件人 收货人 收貨人 联系人 "
    "聯絡人"
)
NAME_CHARS_MAX = 64

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BREAK = re.compile(r"[\W_]+")


def words_of(name: str) -> tuple[str, ...]:
    """Split a field's name into lower-case words.

    >>> words_of("shippingPostalCode"), words_of("GIFT_message-2")
    (('shipping', 'postal', 'code'), ('gift', 'message', '2'))
    """
    return tuple(word for word in _BREAK.split(_HUMP.sub("_", name).lower()) if word)


def is_personal_name(name: str) -> bool:
    """Whether a field of this name holds something of a person; one over 64 characters may.

    >>> [is_personal_name(n) for n in ("recipientName", "product_name", "e-mail", "message_id")]
    [True, False, True, False]
    """
    return len(name) > NAME_CHARS_MAX or _is_personal_name(name)


@lru_cache(maxsize=8192)
def _is_personal_name(name: str) -> bool:
    words = words_of(name)
    if not words:
        return False
    joined = "".join(words)
    if _speaks_of_who(name, words, joined):
        return True
    last = words[-1]
    if _PERSONS.intersection(words) or joined in _PERSONS:
        return last not in _ATTRIBUTES
    if _THINGS.intersection(words):
        return False
    if _WRITINGS.intersection(words):
        return last not in _MEASURES and last not in _ATTRIBUTES
    return last in ("name", "names") or "名" in name


def _speaks_of_who(name: str, words: tuple[str, ...], joined: str) -> bool:
    return (
        not _WHO.isdisjoint(words)
        or joined in _WHO
        or any(compound in joined for compound in _COMPOUNDS)
        or any(term in name for term in _HAN)
        or ("name" in words and not _NAME_PARTS.isdisjoint(words))
    )


def names_somebody(name: str) -> bool:
    """Whether the value says who or where somebody is, so that its repetition gives them away."""
    return len(name) <= NAME_CHARS_MAX and _names_somebody(name)


@lru_cache(maxsize=8192)
def _names_somebody(name: str) -> bool:
    words = words_of(name)
    return (
        not _NAMING.isdisjoint(words)
        or any(compound in "".join(words) for compound in _COMPOUNDS)
        or any(term in name for term in _HAN_NAMING)
    )


def is_thing_name(name: str) -> bool:
    """Whether a field of this name describes a thing, whose own name is nobody's."""
    return len(name) <= NAME_CHARS_MAX // 2 and not _THINGS.isdisjoint(words_of(name))


def is_measure_name(name: str) -> bool:
    """Whether digits under this name are an article number, an amount, a time or the like."""
    return len(name) <= NAME_CHARS_MAX and _is_measure_name(name)


@lru_cache(maxsize=8192)
def _is_measure_name(name: str) -> bool:
    words = words_of(name)
    return bool(words) and words[-1] in _MEASURES
