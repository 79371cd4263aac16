"""Broken playbooks, more than a hundred: ⟦ stands where the mistake is; then what is told, meant.

Those without a shop of their own follow behind a shop in Taipei that is right.
"""

SHOP = "shop:\n  time_zone: Asia/Taipei\n  currency: EUR\n"
SEND = "then: {message: hello}"
HELLO = """
messages:
  hello: {consent: service, words: {en: {subject: Hi, paragraphs: [Hello], short: Hi}}}
offers:
  ten: {percent: 10%}
"""


def rule(when: str, then: str = SEND, guard: str = "") -> str:
    """A trigger, and the message and the offer it may need."""
    more = f"\n    guard: {guard}" if guard else ""
    return f"triggers:\n  one:\n    when: {when}\n    {then}{more}{HELLO}"


def condition(text: str, when: str = "event: order_completed") -> str:
    """A trigger on an event with this condition."""
    return rule(f"\n      {when}\n      if: |-\n        {text}")


YAML = [
    ("triggers: ⟦{a: b", "this is no YAML", ""),
    ("triggers:\n⟦\ta: b", "this is no YAML", ""),
    ("segments: {a: {if: 'a' ⟦in customer.segments}}", "this is no YAML", ""),
    ("triggers: [a, b⟦}", "this is no YAML", ""),
    ('triggers: ⟦"a', "this is no YAML", ""),
    ("a: b\n⟦- c", "this is no YAML", ""),
    ("a: b⟦: c", "this is no YAML", ""),
    ("triggers: ⟦&all {}", "anchors are not read", ""),
    ("caps: ⟦*all", "aliases are not read", ""),
    ("caps: ⟦!!python/object/apply:os.system [ls]", "tags are not read", ""),
    ("segments:\n  a:\n    if: ⟦!customer.known", "tags are not read", ""),
    ("caps: ⟦!include other.yaml", "tags are not read", ""),
    ("triggers: {⟦<<: {}}", "merges are not read", ""),
    ("triggers: {⟦[a]: b}", "a key must be a word", ""),
    ("⟦---\nsegments: {}", "a second document begins here", ""),
    ("caps: " + "[" * 40 + "⟦[" + "]" * 41, "this is nested too deeply", ""),
]
KEYS = [
    ("⟦trigers: {}", "there is no key 'trigers' here", "triggers"),
    ("⟦Messages: {}", "there is no key 'Messages' here", "messages"),
    ("⟦quiet-hours: []", "there is no key 'quiet-hours' here", "quiet_hours"),
    ("⟦xyz: 1", "there is no key 'xyz' here", ""),
    ("⟦version: 1", "there is no key 'version' here", ""),
    ("segments: ⟦[]", "here must be names with values", ""),
    ("segments: ⟦vip", "here must be names with values", ""),
    ("segments: {vip: ⟦true}", "here must be keys with values", ""),
    (
        "segments: {vip: {if: 'true'}, b: ⟦{}}",
        "if is missing",
        "",
    ),
    ("segments: {vip: {if: ⟦}}", "if is empty", ""),
    ("segments: {vip: {if: ⟦~}}", "if is empty", ""),
    ("segments: {vip: {⟦iff: 'true', if: 'true'}}", "there is no key 'iff' here", ""),
    ("segments: {⟦VIP: {if: 'true'}}", "this is no name", "vip"),
    ("segments: {⟦big spenders: {if: 'true'}}", "this is no name", "big_spenders"),
    ("segments: {⟦'1st': {if: 'true'}}", "this is no name", ""),
    (
        "segments:\n  a: {if: 'true'}\n  ⟦a: {if: 'false'}",
        "'a' stands here twice, first in line 5",
        "",
    ),
    ("segments: {a: {if: 'true', ⟦if: 'false'}}", "'if' stands here twice", ""),
    ("caps: []\n⟦caps: []", "'caps' stands here twice, first in line 4", ""),
    ("playbook: ⟦2", "this number is out of range", ""),
    ("playbook: ⟦one", "this is no whole number", ""),
]
SHOPS = [
    ("⟦- a\n- b", "here must be keys with values", ""),
    ("⟦just words", "here must be keys with values", ""),
    ("⟦segments: {}", "the playbook has no shop", ""),
    ("⟦# nothing", "the file is empty", ""),
    ("shop: {time_zone: ⟦Asia/Taipeh, currency: EUR}", "this is no time zone", "Asia/Taipei"),
    ("shop: {time_zone: ⟦../../etc/passwd, currency: EUR}", "this is no time zone", ""),
    ("shop: ⟦{time_zone: Asia/Taipei}", "currency is missing", ""),
    ("shop: {time_zone: Asia/Taipei, currency: ⟦eur}", "this is no currency", "EUR"),
    ("shop: {time_zone: Asia/Taipei, currency: ⟦€}", "this is no currency", ""),
    (
        "shop: {time_zone: Asia/Taipei, currency: EUR, locale: ⟦zh_tw}",
        "this is no locale",
        "zh-TW",
    ),
    (
        "shop: {time_zone: Asia/Taipei, currency: EUR, locales: [en, ⟦EN]}",
        "this is no locale",
        "en",
    ),
    ("shop: {time_zone: Asia/Taipei, currency: EUR, country: ⟦Taiwan}", "this is no country", ""),
    ("shop: {time_zone: Asia/Taipei, currency: EUR, country: ⟦tw}", "this is no country", "TW"),
    (
        "shop: {time_zone: Asia/Taipei, currency: EUR, calendars: {sale: {dates: [⟦2027-02-30]}}}",
        "this is no date",
        "",
    ),
    (
        "shop: {time_zone: Asia/Taipei, currency: EUR, calendars: {sale: {dates: ⟦[]}}}",
        "this list is empty",
        "",
    ),
    (
        "shop: {⟦timezone: Asia/Taipei, time_zone: Asia/Taipei, currency: EUR}",
        "there is no key",
        "",
    ),
]
RULES = [
    ("caps: [{at_most: ⟦-1, per: 7d}]", "this is no whole number", ""),
    ("caps: [{at_most: ⟦3.5, per: 7d}]", "this is no whole number", ""),
    ("caps: [{at_most: 3, per: ⟦7}]", "this is no duration", "7d"),
    ("caps: [{at_most: 3, per: ⟦7 days}]", "this is no duration", "7d"),
    ("caps: [{at_most: 3, per: ⟦1 month}]", "this is no duration", "30d"),
    ("caps: [{at_most: 3, per: ⟦0d}]", "this duration is out of range", ""),
    ("caps: [{at_most: 3, per: ⟦99999d}]", "this duration is out of range", ""),
    ("caps: [⟦{at_most: 3}]", "per is missing", ""),
    (
        "caps: [{at_most: 3, per: 7d, channels: [email, ⟦mail]}]",
        "there is no channel 'mail'",
        "email",
    ),
    ("caps: [{at_most: 3, per: 7d, consent: ⟦marketting}]", "there is no consent", "marketing"),
    ("quiet_hours: {from: ⟦25:00, to: '08:00'}", "this is no time of day", ""),
    ("quiet_hours: {from: 21:00, to: ⟦8am}", "this is no time of day", ""),
    ("quiet_hours: {from: 21:00, to: ⟦21:00}", "quiet hours that end when they begin", ""),
    ("holdout: {share: ⟦five}", "this is no share", ""),
    ("holdout: {share: ⟦5}", "this is more than the whole", "5%"),
    ("holdout: ⟦{salt: x}", "share is missing", ""),
    ("holdout: ⟦5%", "here must be keys with values", ""),
    ("channels: {⟦mail: {}}", "there is no channel 'mail'", "email"),
    ("channels: {email: {enabled: ⟦maybe}}", "this is neither true nor false", ""),
    ("alerts: ⟦{owners: {}}", "owner is missing", ""),
    ("tiers: {⟦platinum: {}}", "there is no tier 'platinum'", ""),
    ("tiers: {⟦High-Value: {}}", "there is no tier 'High-Value'", "high_value"),
    ("tiers: {new: {perks: ⟦gold}}", "there is no perk 'gold'", ""),
    (
        "tiers: {new: {perks: [⟦early_acces]}}\nperks: {early_access: {description: x}}",
        "there is no perk 'early_acces'",
        "early_access",
    ),
    ("offers: {ten: {percent: ⟦10}}", "this is more than the whole", "10%"),
    ("offers: {ten: {⟦percents: 10%}}", "there is no key 'percents' here", "percent"),
    ("offers: {ten: {percent: 10%, ⟦amount: 5}}", "percent, amount can't stand together", ""),
    ("offers: {ten: ⟦{}}", "it is not said what this is", ""),
    ("offers: {five: {amount: ⟦5 USD}}", "the shop's currency is EUR", "5 EUR"),
    ("offers: {five: {amount: ⟦5.001}}", "EUR has no such small coins", ""),
    ("offers: {five: {amount: ⟦-5}}", "this is no amount of money", ""),
    ("offers: {five: {amount: ⟦5€}}", "this is no amount of money", ""),
    ("offers: {s: {spend_and_save: [{spend: 100, save: ⟦110}]}}", "more is saved than spent", ""),
    (
        "offers: {s: {spend_and_save: [{spend: 100, save: 10}, ⟦{spend: 90, save: 20}]}}",
        "this step is not above the one before",
        "",
    ),
    ("offers: {ten: {percent: 10%, code: ⟦uniqe}}", "there is no code 'uniqe'", "unique"),
    ("messages: {hi: ⟦{consent: service}}", "words is missing", ""),
    ("messages: {hi: {words: {⟦english: {}}}}", "this is no locale", ""),
    ("messages: {hi: {words: {en: {subject: ⟦[a]}}}}", "here must be a word, not a list", ""),
    ("messages: {hi: {words: {en: {⟦subjekt: a}}}}", "there is no key 'subjekt' here", "subject"),
    ("messages: {hi: {words: {en: {defaults: {⟦First: a}}}}}", "this is no name", "first"),
    ("include: ⟦nowhere.yaml", "there is no such file", ""),
    ("include: [⟦../other.yaml]", "this file lies elsewhere", ""),
    ("include: ⟦/etc/passwd", "this file lies elsewhere", ""),
    ("include: ⟦playbook.yaml", "files include each other", ""),
]
MOMENTS = [
    (rule("{event: ⟦order_complete}"), "there is no event", "order_completed"),
    (rule("{event: ⟦Product Viewed}"), "there is no event", "product_viewed"),
    (rule("{event: [order_completed, ⟦viewed]}"), "there is no event", "page_viewed"),
    (rule("{event: ⟦[]}"), "this list is empty", ""),
    (rule("{⟦silense: 30d}"), "there is no key 'silense' here", "silence"),
    (rule("⟦{}"), "it is not said what this is", ""),
    (rule("⟦always"), "here must be keys with values", ""),
    (rule("{silence: 30d, ⟦event: order_completed}"), "can't stand together", ""),
    (rule("{silence: 30d, ⟦wait: 1d}"), "there is no key 'wait' here", ""),
    (rule("{event: product_viewed, wait: ⟦24 hours}"), "this is no duration", "24h"),
    (rule("{event: product_viewed, wait: 24h, unless: ⟦order}"), "there is no event 'order'", ""),
    (rule("{dormancy: ⟦awake}"), "there is no dormancy 'awake'", ""),
    (rule("{enters_tier: ⟦high value}"), "there is no tier", "high_value"),
    (rule("{enters_segment: ⟦vip}"), "there is no segment 'vip'", ""),
    (rule("{hazard_falls_below: ⟦20}"), "this is more than the whole", "20%"),
    (rule("{value_reaches: ⟦lots}"), "this is no amount of money", ""),
    (rule("{date_of: ⟦birth_day}"), "there is no date", "birthday"),
    (rule("{date_of: birthday, at: ⟦noon}"), "this is no time of day", ""),
    (rule("{date_of: birthday, leap_day: ⟦mar_2}"), "there is no leap day", "mar_1"),
    (rule("{holiday: ⟦spring_fest, country: TW}"), "there is no calendar", "spring_festival"),
    (rule("{holiday: ⟦spring_festival}"), "it is not said in which country", ""),
    (
        rule("⟦{every: 14d, until: order_completed}"),
        "while is missing",
        "",
    ),
]
STEPS = [
    (rule("{silence: 30d}", "then: {message: ⟦helo}"), "there is no message 'helo'", "hello"),
    (rule("{silence: 30d}", "then: {message: hello, offer: ⟦tenn}"), "there is no offer", "ten"),
    (rule("{silence: 30d}", "then: {⟦mesage: hello}"), "there is no key 'mesage'", "message"),
    (rule("{silence: 30d}", "then: ⟦[]"), "this list is empty", ""),
    (rule("{silence: 30d}", "then: [{wait: 1d}, ⟦hello]"), "here must be keys with values", ""),
    (rule("{silence: 30d}", "then: {webhook: ⟦'http://a.example'}"), "no address of a webhook", ""),
    (rule("{silence: 30d}", "then: {task: call, due: ⟦soon}"), "this is no duration", ""),
    (rule("{silence: 30d}", "then: {grant: ⟦gold}"), "there is no perk 'gold'", ""),
    (rule("{silence: 30d}", "then: {message: hello, recommend: ⟦99}"), "out of range", ""),
    (
        rule("{silence: 30d}", "then: {split: ⟦[{arm: a, share: 50%}, {arm: b, share: 40%}]}"),
        "the arms' shares make 0.9 together",
        "",
    ),
    (
        rule("{silence: 30d}", "then: {split: [{arm: a, share: 50%}, {arm: ⟦a, share: 50%}]}"),
        "two arms are called 'a'",
        "",
    ),
    (
        rule("{silence: 30d}", "then: {if: 'true', then: {if: 'true', then: {message: ⟦x}}}"),
        "there is no message 'x'",
        "",
    ),
    (rule("{silence: 30d}", guard="{priority: ⟦101}"), "this number is out of range", ""),
    (rule("{silence: 30d}", guard="{once: ⟦custommer}"), "this is no occasion", "customer"),
    (rule("{silence: 30d}", guard="{segments: ⟦vip}"), "there is no segment 'vip'", ""),
    (rule("{silence: 30d}", guard="{⟦tirer: new}"), "there is no key 'tirer'", "tiers"),
    (rule("{silence: 30d}", guard="{tiers: ⟦vip}"), "there is no tier 'vip'", ""),
    (rule("{silence: 30d}", guard="{quiet_hours: ⟦wait}"), "there is no quiet hours", ""),
    ("triggers:\n  one: ⟦{when: {silence: 30d}}", "then is missing", ""),
]
CONDITIONS = [
    (condition("⟦customer.order > 3"), "customer.order is not known", "customer.orders"),
    (condition("⟦orders > 3"), "orders is not known", "customer.orders"),
    (condition("⟦event.totl > 3"), "event.totl", "event.total"),
    (condition("⟦event.product_id == 'x'"), "event.product_id is not known", "event.product_ids"),
    (
        condition("⟦event.total > 3.0", "event: [order_completed, product_viewed]"),
        "event.total is not known",
        "event.type",
    ),
    (rule("{silence: 30d}", guard="{if: ⟦event.total > 3}"), "the event is not at hand", ""),
    (condition("customer.orders ⟦== 'three'"), "a whole number can't be compared with a text", ""),
    (condition("customer.tier == ⟦'high'"), "customer.tier is never 'high'", ""),
    (
        condition("customer.tier in [⟦new, 'regular']"),
        "new is not known",
        "",
    ),
    (condition("⟦'vip' in customer.segments"), "customer.segments is never 'vip'", ""),
    (condition("customer.orders >⟦"), "the condition ends too early", ""),
    (condition("customer.orders ⟦= 3"), "'=' is no sign of the language", ""),
    (condition("customer.known ⟦and customer.orders > 3"), "and can't stand here", ""),
    (condition("(customer.known⟦"), "the condition ends too early", ""),
    (condition("customer.known⟦)"), ") can't stand here", ""),
    (condition("customer.tier == ⟦'new"), "the text has no end", ""),
    (condition("⟦customer.orders"), "this is a whole number", ""),
    (condition("customer.value ⟦+ 1 > 3.0"), "+ is not for a number and a whole number", ""),
    (condition("⟦foo(customer.orders)"), "foo is no function of the language", ""),
    (condition("customer.tier.⟦matches('a')"), "matches is no function", ""),
    (
        condition("⟦size() > 1"),
        "size takes 1 arguments, not 0",
        "",
    ),
    (condition("⟦customer == 3"), "customer has fields", ""),
    (condition("customer.orders > ⟦99999999999999999999"), "the number is too large", ""),
    (condition("customer.orders > ⟦3x"), "3x is no number", ""),
    (condition("⟦null == customer.tier"), "null is no word of the language", ""),
    (condition("⟦customer.tier.city == 'x'"), "customer.tier is a text, it has no entries", ""),
    (condition("customer.unsubscribed⟦[0] == 'sms'"), "only entries of a map have names", ""),
    (condition("'sms' ⟦in customer.tier"), "in is for lists", ""),
    (
        condition("customer.known ⟦? 'a' : 2"),
        "both answers",
        "",
    ),
    (condition("(" * 40 + "⟦(true"), "nested too deeply", ""),
    (rule("{silence: 30d}", guard="{if: '⟦'}"), "there is no condition here", ""),
    (
        rule(
            "{silence: 30d}",
            guard="\n      if: >\n        customer.orders > 2\n        && ⟦customer.silence > 3",
        ),
        "customer.silence is not known",
        "customer.silence_days",
    ),
    (
        rule(
            "{silence: 30d}",
            guard="\n      if: |\n        customer.known &&\n          ⟦customer.tear == 'new'",
        ),
        "customer.tear is not known",
        "customer.tier",
    ),
    (
        rule("{silence: 30d}", guard='{if: "customer.tier == \\"new\\" && ⟦customer.knwn"}'),
        "customer.knwn is not known",
        "customer.known",
    ),
    (
        rule("{silence: 30d}", guard="{if: 'customer.tier == ''new'' && ⟦customer.knwn'}"),
        "customer.knwn is not known",
        "customer.known",
    ),
    (
        rule("{silence: 30d}", guard="\n      if: customer.known\n        && ⟦customer.knwn"),
        "customer.knwn is not known",
        "customer.known",
    ),
    ("segments: {a: {if: ⟦\"'a' in customer.segments\"}}", "segment a rests on itself", ""),
    ("segments: {a: {if: '⟦event.total > 3'}}", "the event is not at hand", ""),
]
BROKEN = [
    *(
        (SHOP + text, told, meant)
        for text, told, meant in YAML + KEYS + RULES + MOMENTS + STEPS + CONDITIONS
    ),
    *SHOPS,
]
