"""Every rule: manifests that it speaks of, and such as it does not, though they look alike.

A hit may have other rules speak too; a miss is only silent of its own. The last table is silent altogether.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.domain.kinds import KINDS
from reconciler.domain.versions import NEWEST, version
from reconciler.lint.rules import RULES
from tests.lint.writing import rules, warned


def _bots(*lines: str) -> str:
    """Bots named a, b, c and so on, of one line of fields each."""
    return "bots:\n" + "".join(
        f"  {name}: {{{line}}}\n" for name, line in zip("abcdefg", lines, strict=False)
    )


def _keywords(*triggers: tuple[str, str]) -> str:
    """Keyword bots, of an operator and a value each; "advanced" for an expression."""
    return _bots(
        *(
            f"triggerType: advanced, triggerValue: '{value}'"
            if operator == "advanced"
            else f"triggerType: keyword, triggerOperator: {operator}, triggerValue: '{value}'"
            for operator, value in triggers
        )
    )


def _regex(pattern: str) -> str:
    return _keywords(("regex", pattern.replace("'", "''")))


def _advanced(expression: str) -> str:
    return _keywords(("advanced", expression))


_ALL = "triggerType: all"
_NONE = "triggerType: none"
_KEY = "triggerValue: 1"
_OFF = "enabled: false"
_WITH = "triggerType: keyword, triggerOperator:"

HITS: dict[str, list[str]] = {
    "not-checked": [
        _regex("a" * 2001),
        _regex("|".join(f"palavra{n}" for n in range(300))),
        _regex("(" * 40 + "oi" + ")" * 40),
        _regex("(?:" * 200 + "oi" + ")" * 200),
        _advanced("contains:" + ",".join(f"v{n}" for n in range(101))),
        _advanced(" ".join(f"contains:v{n}" for n in range(101))),
    ],
    "odd-characters": [
        "kind: typebot\ntypebot: “vendas”",
        "kind: dify\napiUrl: https://dify.exemplo.com.br/v1\u200b",
        *(
            f'model: "{text}"'
            for text in (
                "“gpt-4o-mini”",
                "gpt–4o",
                "gpt‑4o",
                "gpt-4o ",
                " gpt-4o",
                "gpt\u200b-4o",
                "gpt-4o\u00a0",
                "gpt-4o,",
                "gpt-4o // the cheap one",
                "gpt 4o",
                "'gpt-4o'",
            )
        ),
        *(
            f'triggerValue: "{text}"'
            for text in (
                "“oi”",
                "d’água",
                "oi\u200b",
                "\ufeffoi",
                "bom\u00a0dia",
                "oi\u00ad",
                "oi\u202e",
                "ola\u0301",
                "m\u0435nu",
                "\ufb01m",
                "d\u02bcagua",
                "oi\ufffc",
                "promo\ufffd\ufffdo",
                "1 // menu",
                "1 /* menu */",
                "oi //",
                "\U0001d5fa\U0001d5f2nu",
            )
        ),
        *(f'keywordFinish: "{text}"' for text in ("tchau\u200b", "até–já", "“fim”")),
        "keywordFinish: sair // ends it",
        "kind: dify\napiUrl: https://dify.exemplo.com.br/v1 // theirs",
        "kind: typebot\nurl: https://typebot.exemplo.com.br /* ours */",
        'settings: {keywordFinish: "tchau\u00a0agora"}',
        'openaiCredsId: "abc\u200b"',
        'assistantId: "asst_1 "\nbotType: assistant',
        'functionUrl: "https://exemplo.com.br/f\u200b"\nbotType: assistant',
        'functionUrl: "https://exemplo.com.br/f?code=x1\u200b"\nbotType: assistant',
        'settings: {ignoreJids: ["@g.us\u200b"]}',
    ],
    "yaml-sign": [
        "systemMessages: ['!file prompts/loja.md']",
        "triggerValue: '!env PALAVRA'",
        "settings: {unknownMessage: '!file oi.md'}",
    ],
    "secret-in-url": [
        "kind: flowise\napiUrl: https://exemplo.com.br/f?token=${env:TOKEN}&code=h7Gk29sLq0",
        "kind: flowise\napiUrl: https://exemplo.com.br/f?token=h7Gk29sLq0",
        "kind: typebot\nurl: https://ana:h7Gk29sLq0@exemplo.com.br",
        *(
            f"botType: assistant\nfunctionUrl: '{url}'"
            for url in (
                "https://exemplo.com.br/f?code=abc",
                "https://user:pw@exemplo.com.br/f",
                "https://exemplo.com.br/f?loja=1&api_key=x",
                "https://hooks.slack.com/services/T0/B0/x",
                "https://exemplo.com.br/webhook/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
                "https://exemplo.com.br/f#abc",
            )
        ),
    ],
    "catch-all": [
        _bots(f"kind: n8n, {_ALL}", f"kind: n8n, {_KEY}"),
        _bots(_ALL, _KEY),
        _bots(_KEY, "triggerValue: 2", f"{_ALL}, enabled: true"),
        _bots(_NONE, _KEY),
        _bots(_NONE, _ALL),
        _bots(_ALL, "triggerType: advanced"),
        _bots("triggerType: all, botType: assistant", _KEY),
        "settings: {fallback: b}\n" + _bots(_ALL, f"{_KEY}, {_OFF}"),
        "defaults: {triggerType: all}\n" + _bots("triggerType: keyword", "enabled: true"),
    ],
    "none-matches-all": [
        _NONE,
        f"{_NONE}\nenabled: true",
        f"settings: {{fallback: a}}\n{_bots(_NONE)}",
        _bots(_KEY, _NONE),
        _bots(_NONE, _NONE),
    ],
    "shadowed-keyword": [
        _bots(*(f"kind: evoai, {_WITH} contains, triggerValue: {value}" for value in ("ped", "pedido"))),
        _keywords(("startsWith", "ped"), ("startsWith", "pedido")),
        _keywords(("contains", "pedido"), ("contains", "ped")),
        _keywords(("endsWith", "obrigado"), ("endsWith", "muito obrigado")),
        _keywords(("regex", "^oi"), ("startsWith", "oi")),
        _keywords(("regex", "oi|olá"), ("startsWith", "olá, bom dia")),
        _keywords(("regex", "ped(ido|ir)"), ("contains", "pedido")),
        _keywords(("regex", "[Pp]edido"), ("endsWith", "meu pedido")),
        _keywords(("regex", ".*boleto.*"), ("contains", "segunda via do boleto")),
        _keywords(("regex", "2ª via$"), ("endsWith", "quero a 2ª via")),
        _keywords(("regex", ".*"), ("contains", "oi")),
        _keywords(("regex", r"\d+"), ("startsWith", "1")),
        _keywords(("regex", "[\\d-]+"), ("contains", "pedido 1")),
        _keywords(("equals", "1"), ("equals", "2"), ("regex", "^[12]$")),
        _keywords(("equals", "1"), ("equals", "2"), ("regex", "^(1|2)$")),
        _keywords(("equals", "sim"), ("regex", "^sim$")),
        _keywords(("regex", "oi"), ("regex", "oi[!?]")),
        _keywords(("contains", "1"), ("contains", "11")),
    ],
    "advanced-shadows": [
        _keywords(("advanced", "contains:pedido"), ("equals", "Meu pedido")),
        _keywords(("advanced", "contains:pedido"), ("contains", "PEDIDO")),
        _keywords(("advanced", "contains:devolucao"), ("startsWith", "Devolução")),
        _keywords(("advanced", "startswith:oi"), ("startsWith", "Oi, tudo bem")),
        _keywords(("advanced", "contains:preço contains:valor"), ("contains", "qual o valor")),
        _keywords(("advanced", "contains:segunda,via"), ("equals", "segunda via")),
        _keywords(("advanced", "exact:menu"), ("equals", "Menu")),
        _keywords(("advanced", "endswith:sim"), ("endsWith", "sim")),
        _keywords(("advanced", "contains:pedido"), ("advanced", "contains:pedido startswith:meu")),
        _keywords(("advanced", "contains:oi"), ("regex", "^oi$")),
        _keywords(("advanced", "contains:pedido notcontains:troca"), ("equals", "pedido")),
    ],
    "regex-invalid": [
        _regex("(?i)oi"),
        _regex("(?P<nome>oi)"),
        _regex("("),
        _regex("oi)"),
        _regex("[0-9"),
        _regex("+55"),
        _regex("*"),
        _regex("oi++"),
        _regex("(?#comentário)oi"),
        _regex("(?>oi)"),
        _regex("a{3,1}"),
        _regex("[z-a]"),
        _regex(r"\b+oi"),
        _regex("(?<=oi"),
        _regex(r"oi" + "\\"),
        _regex("(?(1)a|b)"),
        _regex("(?x) oi"),
        _regex("(sim|não"),
        _regex("[😀-😂]"),
        _bots(f"triggerOperator: regex, triggerValue: '(', {_OFF}"),
    ],
    "regex-python-only": [
        _regex(r"\Aoi"),
        _regex(r"oi\Z"),
        _regex(r"oi\z"),
        _regex(r"\h+"),
        _regex(r"\p{L}+"),
        _regex(r"[\p{L}]+"),
        _regex(r"oi{,3}"),
        _regex("[[:digit:]]+"),
        _regex(r"\Q1.\E"),
        _regex(r"\u{1F600}"),
        _regex(r"oi\R"),
        _regex("[😀😂]"),
        _regex("^oi 😀?$"),
        _regex("[]a]"),
        _regex(r"(oi) \2"),
        _regex(r"\xoi"),
    ],
    "regex-boundary": [
        _regex(r"\bolá\b"),
        _regex(r"\bágua"),
        _regex(r"manhã\b"),
        _regex(r"\b(?:oi|olá)$|\bícone"),
        _regex(r"\bÁudio\b"),
        _regex(r"café\b"),
    ],
    "regex-slashes": [
        _regex("/oi/"),
        _regex("/^oi$/i"),
        _regex("/(sim|não)/gi"),
        _regex(r"/\d+/"),
        _regex("/.*/"),
    ],
    "regex-matches-everything": [
        _regex(".*"),
        _regex(".+"),
        _regex("."),
        _regex("^.*$"),
        _regex("^"),
        _regex("$"),
        _regex("oi|"),
        _regex("|oi"),
        _regex("(oi|olá|)"),
        _regex(r"\d*"),
        _regex("(oi)?"),
        _regex(r"[\s\S]*"),
        _regex("^(.*)$"),
        _regex("(?:.|\\n)+"),
        _regex("^(oi|.*)$"),
        _regex(".*?"),
        _regex("a{0,3}"),
        _regex("(.*)(.*)"),
    ],
    "advanced-syntax": [
        _advanced("contains:troca, devolução"),
        _advanced("contains:bom dia"),
        _advanced("contem:oi"),
        _advanced("equals:oi"),
        _advanced("contains=oi"),
        _advanced("oi"),
        _advanced("contains:"),
        _advanced("contains"),
        _advanced("contains:a,,b"),
        _advanced("contains:a,"),
        _advanced("contains:a  notcontains:b"),
        _advanced(" contains:a"),
        _advanced("contains:a "),
        _advanced("contains: oi"),
        _advanced("contains:oi OR contains:ola"),
        _advanced("contains:oi|contains:ola && exact:x"),
        _advanced("not:oi"),
        _advanced("regex:^oi"),
        "triggerType: advanced\ntriggerValue: |\n  contains:oi\n",
        _bots(f"triggerType: advanced, triggerValue: 'contem:oi', {_OFF}"),
    ],
    "advanced-never": [
        _advanced("exact:sim,ok"),
        _advanced("exact:sim notcontains:sim"),
        _advanced("contains:pedido notcontains:ped"),
        _advanced("startswith:oi,ola"),
        _advanced("endswith:sim,não"),
        _advanced("exact:oi contains:ola"),
        _advanced("exact:oi startswith:ola"),
        _advanced("Exact:sim exact:nao"),
        _advanced("startswith:oi startswith:ola notcontains:o"),
    ],
    "advanced-comma": [
        _advanced("contains:troca,trocar"),
        _advanced("contains:trocar,devolver,troca"),
        _advanced("contains:Preço,preços"),
        _advanced("contains:oi contains:boleto,boletos"),
        _advanced("contains:troca,trocar,devolver,devolução"),
        _advanced("contains:pagar,pagamento,paga"),
        _advanced("contains:alugar,comprar,locação"),
    ],
    "padded-trigger": [
        _keywords(("equals", "1 ")),
        _keywords(("equals", " menu")),
        _keywords(("startsWith", " oi")),
        _keywords(("endsWith", "sim ")),
        "triggerOperator: equals\ntriggerValue: |\n  oi\n",
        "triggerOperator: contains\ntriggerValue: |\n  oi\n",
        "triggerOperator: regex\ntriggerValue: |\n  ^oi$\n",
    ],
    "finish-is-trigger": [
        "kind: flowise\ntriggerValue: sair\nkeywordFinish: sair",
        "triggerValue: sair\nkeywordFinish: sair",
        "triggerValue: Menu\nkeywordFinish: menu",
        "triggerValue: '0'\nkeywordFinish: '0'",
        "settings: {keywordFinish: sair}\n" + _keywords(("equals", "Sair")),
        "defaults: {keywordFinish: tchau}\n" + _keywords(("equals", "tchau")),
    ],
    "no-effect": [
        "assistantId: asst_1",
        "functionUrl: https://exemplo.com.br/f",
        "botType: assistant\nmodel: gpt-4o",
        "botType: assistant\nsystemMessages: [Seja breve.]",
        "botType: assistant\nmaxTokens: 300",
        "botType: assistant\nuserMessages: [oi]",
        "triggerType: all\ntriggerValue: oi",
        "triggerType: none\ntriggerOperator: equals",
        "triggerType: advanced\ntriggerOperator: contains",
        "defaults: {functionUrl: 'https://exemplo.com.br'}\n" + _bots(_KEY, "triggerValue: 2"),
    ],
    "never-read": [
        "kind: n8n\nexpire: 60",
        "kind: evolutionBot\nkeepOpen: true",
        "kind: typebot\nsplitMessages: true",
        "kinds: {typebot: {settings: {timePerChar: 30}}}\n" + _bots("kind: typebot"),
        "expire: 60",
        "unknownMessage: Só entendo texto.",
        "settings: {expire: 300}",
        "settings: {unknownMessage: Não entendi}",
        "defaults: {expire: 1}\n" + _bots(_KEY, "triggerValue: 2"),
        "enabled: false\nexpire: 20",
    ],
    "not-known-yet": [],
    "ignore-jids-of-bot": [
        "kinds: {dify: {settings: {ignoreJids: ['@lid']}}}\n" + _bots("kind: n8n, ignoreJids: ['@g.us']"),
        "ignoreJids: ['@g.us']",
        "defaults: {ignoreJids: ['@g.us']}",
        "settings: {ignoreJids: ['@s.whatsapp.net']}\nbots: {a: {ignoreJids: ['@g.us']}}",
        "settings: {expire: 0}\nbots: {a: {ignoreJids: ['@g.us', 5511999999999@s.whatsapp.net]}}",
        "settings: {ignoreJids: {merge: ['@g.us']}}\nbots: {a: {ignoreJids: [5511999999999@s.whatsapp.net]}}",
    ],
    "jid-matches-nothing": [
        f"settings: {{ignoreJids: ['{jid}']}}"
        for jid in (
            "5511999999999",
            "+5511999999999@s.whatsapp.net",
            "*@g.us",
            "g.us",
            "@c.us",
            "5511999999999@c.us",
            "5511 99999-9999",
            "@G.US",
            " @g.us",
            "@lid",
            "grupos",
            "5511999999999@s.whatsapp.com",
            "5511*@s.whatsapp.net",
            "",
            "status",
            "(11) 99999-9999@s.whatsapp.net",
        )
    ]
    + [
        "ignoreJids: ['5511999999999']",
        "settings: {ignoreJids: {merge: ['@g.us', '5511999999999']}}",
    ],
    "padded-keyword-finish": [
        "keywordFinish: 'sair '",
        "keywordFinish: ' sair'",
        "keywordFinish: |\n  sair\n",
        "settings: {keywordFinish: 'sair '}",
        "keywordFinish: ' '",
        'keywordFinish: "\\tsair"',
    ],
    "keep-open": [
        "kind: n8n\nkeywordFinish: sair",
        "kind: dify\nkeepOpen: false\nkeywordFinish: sair",
        "kinds: {flowise: {settings: {keywordFinish: sair}}}\n" + _bots("kind: flowise"),
        "kind: typebot\nkeepOpen: true\nkeywordFinish: sair",
        "keepOpen: true\nkeywordFinish: sair",
        "settings: {keepOpen: true, keywordFinish: sair}",
        "settings: {keywordFinish: sair}\nbots: {a: {keepOpen: true}}",
        "settings: {keepOpen: true}\nbots: {a: {keywordFinish: sair}}",
        "defaults: {keywordFinish: fim}\nbots: {a: {keepOpen: true}}",
        "defaults: {keepOpen: true, keywordFinish: fim}",
    ],
    "debounce-milliseconds": [
        "debounceTime: 61",
        "debounceTime: 1000",
        "debounceTime: 8000",
        "settings: {debounceTime: 5000}",
        "defaults: {debounceTime: 90}",
    ],
    "delay-seconds": [
        "delayMessage: 2",
        "delayMessage: 5",
        "settings: {delayMessage: 3}",
        "defaults: {delayMessage: 10}",
        "delayMessage: 30",
    ],
    "zero-delay": [
        "delayMessage: 0",
        "settings: {delayMessage: 0}",
        "defaults: {delayMessage: 0}",
    ],
    "assistants-api": [
        "botType: assistant",
        "botType: assistant\nenabled: false",
        "botType: assistant\ntriggerType: all",
        "defaults: {botType: assistant}\n" + _bots(_KEY, "triggerValue: 2"),
        "botType: assistant\nfunctionUrl: https://exemplo.com.br/f",
    ],
    "reasoning-max-tokens": [
        f"model: {model}"
        for model in (
            "o1",
            "o1-mini",
            "o1-preview-2024-09-12",
            "o3",
            "o3-mini",
            "o4-mini",
            "gpt-5",
            "gpt-5-mini",
            "gpt-5-nano-2025-08-07",
            "gpt-5.1",
            "ft:o4-mini-2025-04-16:loja::abc",
        )
    ],
    "disabled-fallback": [
        "kinds: {flowise: {settings: {fallback: a}}}\n" + _bots(f"kind: flowise, {_OFF}"),
        "settings: {fallback: a}\n" + _bots(_OFF),
        "settings: {fallback: b}\n" + _bots(_KEY, f"triggerType: none, {_OFF}"),
        "settings: {fallback: a}\ndefaults: {enabled: false}\n" + _bots("triggerValue: 9"),
        "settings: {fallback: a}\n" + _bots(f"triggerType: all, {_OFF}", _KEY),
        "settings: {fallback: a, expire: 0}\n" + _bots(f"botType: assistant, {_OFF}"),
    ],
    "borrowed-credential": [
        "openaiCreds: {instance: suporte, name: suporte-openai}",
        "defaults: {openaiCreds: {instance: suporte, name: suporte-openai}}",
        "openaiCreds: {instance: matriz, name: main}\nenabled: false",
        _bots("openaiCreds: main", "openaiCreds: {instance: matriz, name: main}"),
        "openaiCreds: {instance: Loja Centro, name: 'openai loja'}\ntriggerType: all",
    ],
    "description-cut": [
        f"description: {'x' * 255}",
        f"description: {'Pedidos e trocas. ' * 14}",
        f"description: {'é' * 240}",
        f"defaults: {{description: {'x' * 230}}}\nbots: {{um-nome-bem-comprido: {{}}}}",
    ],
    "variable-without-vars": [
        "systemMessages: ['Você atende a ${loja}.']",
        "userMessages: [oi, '${instance}']",
        "triggerValue: ${palavra}",
        "settings: {keywordFinish: '${fim}'}",
        "description: Atende ${loja}",
    ],
    "two-kinds-answer": [
        _bots(f"kind: n8n, {_ALL}", _ALL),
        _bots(f"kind: n8n, {_ALL}", _KEY),
        _bots(f"kind: n8n, {_NONE}", "kind: dify, triggerType: advanced, triggerValue: 'exact:oi'"),
        _bots(
            f"kind: flowise, {_WITH} equals, triggerValue: 1", f"kind: evoai, {_WITH} equals, triggerValue: 1"
        ),
        _bots(
            f"kind: flowise, {_WITH} startsWith, triggerValue: ped",
            f"kind: evoai, {_WITH} endsWith, triggerValue: ido",
        ),
        _bots(
            f"kind: flowise, {_WITH} contains, triggerValue: pedido",
            f"kind: evoai, {_WITH} contains, triggerValue: troca",
        ),
        _bots(
            f"kind: flowise, {_WITH} startsWith, triggerValue: oi",
            f"kind: typebot, {_WITH} startsWith, triggerValue: oi bom dia",
        ),
        _bots(
            f"kind: flowise, {_WITH} regex, triggerValue: ^ped(ido|ir)$",
            f"kind: evoai, {_WITH} equals, triggerValue: pedir",
        ),
        _bots(
            f"kind: flowise, {_WITH} regex, triggerValue: '^[0-9]+$'",
            f"kind: evoai, {_WITH} equals, triggerValue: 12",
        ),
        _bots(
            "triggerType: advanced, triggerValue: 'contains:oi notcontains:tchau'",
            "kind: n8n, triggerValue: ÓI lá",
        ),
        "settings: {fallback: a}\n" + _bots(_KEY, "kind: typebot, triggerValue: 2"),
        "settings: {fallback: a}\nkinds: {typebot: {settings: {fallback: b}}}\n"
        + _bots(_KEY, "kind: typebot, triggerValue: 2"),
        "settings: {ignoreJids: ['@s.whatsapp.net']}\n" + _bots(_ALL, f"kind: dify, {_ALL}"),
    ],
    "unused-fallback": [
        f"kinds: {{{kind}: {{settings: {{fallback: a}}}}}}\n" + _bots(f"kind: {kind}")
        for kind in ("n8n", "dify")
    ],
    "silent-bot-type": [
        "kind: dify\nbotType: workflow",
    ],
    "key-over-http": [
        "kind: typebot\nurl: http://typebot.exemplo.com.br",
        "kind: dify\napiUrl: HTTP://10.0.0.7/v1",
        "kind: n8n\nwebhookUrl: http://ana:h7Gk29sLq0@n8n.exemplo.com.br:5678/webhook/1",
        "kind: evoai\nagentUrl: http://[2001:db8::1]/a",
        "kind: evolutionBot\napiUrl: http://bot.interno.local",
    ],
    "global-key-shared": [
        "kind: typebot\nurl: https://typebot.io",
        "kind: typebot\nurl: https://8.8.8.8:8443/typebot",
        "kind: typebot\nurl: http://typebot.exemplo.com.br",
    ],
    "unknown-rule": [
        "silence: [catchall]",
        "silence: [catch-all, never-reed]",
        "bots: {a: {silence: [tudo]}}",
        "defaults: {silence: [no-efect]}",
        "settings: {expire: 0}\nsilence: [expire]",
    ],
}

MISSES: dict[str, list[str]] = {
    "not-checked": [_regex("a" * 2000), _regex("((((((oi))))))"), _advanced("contains:a,b contains:c")],
    "odd-characters": [
        *(
            f'triggerValue: "{text}"'
            for text in (
                *("olá", "ação", "👍🏽", "👨‍👩‍👧", "❤️", "1️⃣", "日本", "bom dia", "a-b", "menu ✅", "1º andar"),
                *(
                    "Œuvre",
                    "½ kg",
                    "R$ 10",
                    "1//2",
                    "https://x.br",
                    "a / b",
                    "меню",
                    "menu α",
                    "abc日本",
                    "हिन्दी",
                    "10 €",
                    "n.º 1",
                ),
            )
        ),
        "triggerType: keyword\ntriggerOperator: regex\ntriggerValue: '[\"“]oi[\"”]'",
        "model: gpt-4o",
        "model: openai/gpt-4o",
        "model: llama3.1:8b",
        "model: ft:gpt-4o-mini-2024-07-18:loja::abc",
        "systemMessages: ['Diga “oi” — l’eau… «merci»,  👋 e\u0301']",
        "keywordFinish: até já",
        "settings: {ignoreJids: ['@g.us']}",
    ],
    "yaml-sign": [
        "triggerValue: '#1'",
        "systemMessages: ['Escreva !file e o nome']",
        "systemMessages: ['!file']",
        "description: '!env'",
    ],
    "secret-in-url": [
        "kind: flowise\napiUrl: https://exemplo.com.br/f?token=${env:TOKEN}",
        "kind: typebot\nurl: https://${env:USER_OF_IT}:${env:TOKEN}@exemplo.com.br",
        *(
            f"botType: assistant\nfunctionUrl: '{url}'"
            for url in (
                "https://exemplo.com.br/f",
                "https://exemplo.com.br/api/consulta-de-pedidos/v2?loja=centro&page=2",
                "https://exemplo.com.br:8443/getOrderStatusByCustomerName",
            )
        ),
    ],
    "catch-all": [
        "kinds: {n8n: {settings: {fallback: b}}}\n"
        + _bots(f"kind: n8n, {_ALL}", f"kind: n8n, {_KEY}, {_OFF}"),
        _bots(_ALL, f"kind: n8n, {_KEY}"),
        _ALL,
        _bots(_ALL, f"{_KEY}, {_OFF}"),
        _bots(f"{_ALL}, {_OFF}", _KEY),
        _bots(_KEY, "triggerValue: 2"),
        _bots(f"{_NONE}, {_OFF}", _KEY),
        "settings: {fallback: a}\n" + _bots(_ALL),
        _bots(_ALL, f"{_ALL}, {_OFF}"),
        _bots("triggerType: advanced", _KEY),
        "settings: {fallback: ''}\n" + _bots(_ALL, f"{_KEY}, {_OFF}"),
    ],
    "none-matches-all": [
        f"{_NONE}\n{_OFF}",
        _ALL,
        _KEY,
        f"settings: {{fallback: a}}\n{_bots(f'{_NONE}, {_OFF}')}",
        "triggerValue: none",
    ],
    "shadowed-keyword": [
        _bots(*(f"kind: {kind}, {_WITH} contains, triggerValue: ped" for kind in ("evoai", "n8n"))),
        _keywords(("equals", "pedido"), ("startsWith", "ped")),
        _keywords(("equals", "pedido"), ("contains", "ped")),
        _keywords(("startsWith", "oi"), ("contains", "oi, tudo")),
        _keywords(("startsWith", "oi"), ("contains", "oi")),
        _keywords(("startsWith", "Ped"), ("startsWith", "pedido")),
        _keywords(("contains", "preço"), ("contains", "preco")),
        _keywords(("endsWith", "oi"), ("startsWith", "oi")),
        _keywords(("startsWith", "ped"), ("endsWith", "pedido")),
        _keywords(("startsWith", "ped"), ("startsWith", "dido")),
        _keywords(("equals", "1"), ("equals", "11")),
        _keywords(("equals", "1"), ("regex", "1")),
        _keywords(("regex", r"\d{2}"), ("startsWith", "1")),
        _keywords(("regex", r"\D"), ("startsWith", "1")),
        _keywords(("regex", r"[\D]"), ("startsWith", "1")),
        _keywords(("regex", "^pedido$"), ("startsWith", "pedido")),
        _keywords(("regex", "^oi"), ("contains", "oi")),
        _keywords(("regex", "oi$"), ("startsWith", "oi")),
        _keywords(("regex", r"\d{5}-\d{3}"), ("contains", "cep")),
        _keywords(("regex", "pedido (?!cancelado)"), ("contains", "pedido")),
        _keywords(("regex", r"\bpedido\b"), ("contains", "pedido")),
        _keywords(("regex", "(?i)oi"), ("contains", "oi")),
        _keywords(("regex", "[0-9]+"), ("equals", "1")),
        _keywords(("regex", "oi"), ("regex", "ola")),
        _bots(
            f"triggerOperator: contains, triggerValue: ped, {_OFF}",
            "triggerOperator: contains, triggerValue: pedido",
        ),
        _bots(
            "triggerOperator: contains, triggerValue: ped",
            f"triggerOperator: contains, triggerValue: pedido, {_OFF}",
        ),
        _bots("triggerOperator: contains, triggerValue: ped", "triggerType: all, triggerValue: pedido"),
        _keywords(("equals", "1"), ("regex", "^(1|2)$")),
        _keywords(("advanced", "contains:ped"), ("advanced", "contains:pedido")),
    ],
    "advanced-shadows": [
        _keywords(("advanced", "contains:pedido"), ("contains", "ped")),
        _keywords(("advanced", "contains:pedido notcontains:meu"), ("equals", "Meu pedido")),
        _keywords(("advanced", "contains:pedido,troca"), ("contains", "pedido")),
        _keywords(("advanced", "startswith:oi"), ("contains", "oi")),
        _keywords(("advanced", "exact:oi"), ("startsWith", "oi")),
        _keywords(("advanced", "contem:oi"), ("equals", "oi")),
        _keywords(("advanced", "contains:oi exact:"), ("equals", "oi")),
        _keywords(("advanced", "contains:pedido notcontains:troca"), ("contains", "pedido")),
        _keywords(("advanced", "contains:troca contains:devolver"), ("contains", "pedido")),
        _keywords(("advanced", "contains:oi"), ("advanced", "contains:ola")),
        _bots(f"triggerType: advanced, triggerValue: 'contains:oi', {_OFF}", "triggerValue: oi"),
        _keywords(("advanced", "notcontains:oi"), ("contains", "ola")),
    ],
    "regex-invalid": [
        _regex("(?:oi|olá)"),
        _regex("(?<nome>oi)"),
        _regex("(?=oi)"),
        _regex("(?<!não )quero"),
        _regex("{"),
        _regex("]"),
        _regex("a{,2}"),
        _regex("oi {nome}"),
        _regex(r"\+55"),
        _regex("[+*]"),
        _regex("(?=oi)*"),
        _regex(r"\p{L}"),
        _regex("^[1-9]$"),
        _regex(r"R\$ ?\d+"),
        _regex("(?i:oi)"),
        _regex("(?<x>a)|(?<x>b)"),
        _keywords(("contains", "(")),
        _keywords(("equals", "(?i)oi")),
        _advanced("contains:("),
    ],
    "regex-python-only": [
        _regex("^oi$"),
        _regex(r"\d{2}/\d{2}"),
        _regex(r"\bpedido\b"),
        _regex("[a-zà-ú]+"),
        _regex(r"\u00e7"),
        _regex(r"\/menu"),
        _regex(r"oi\."),
        _regex(r"[^]"),
        _regex("(?:😀|😂)"),
        _regex("👍+"),
        _regex(r"(\d)\1"),
        _regex(r"(?<d>\d)\k<d>"),
        _regex("a{0,3}"),
        _regex(r"\xe7"),
        _regex(r"[\]\[]"),
        _regex("{oi}"),
        _keywords(("contains", r"\A")),
    ],
    "regex-boundary": [
        _regex(r"\bpedido\b"),
        _regex(r"\bnão\b"),
        _regex(r"\bpreço\b"),
        _regex(r"olá"),
        _regex(r"\b1\b"),
        _regex(r"(^|\s)olá(\s|$)"),
        _regex(r"\\bá"),
        _regex(r"😀\b"),
        _regex(r"[\bá]"),
    ],
    "regex-slashes": [
        _regex("/menu"),
        _regex(r"\d+/\d+"),
        _regex("oi/"),
        _regex(r"^/"),
        _regex("/"),
        _keywords(("contains", "/oi/")),
        _regex("a/b/c"),
    ],
    "regex-matches-everything": [
        _regex("oi.*"),
        _regex(".*oi"),
        _regex("^oi|ola$"),
        _regex("^$"),
        _regex(r"^\s*$"),
        _regex(r"\d+"),
        _regex("[a-z]*oi"),
        _regex("^[a-z]*$"),
        _regex("^(?!sair$).*"),
        _regex("^.{1,100}$"),
        _regex("^.$"),
        _regex(".{2,}"),
        _regex("(?=oi)"),
        _regex(r"\b"),
        _regex("(oi)+"),
        _regex("oi|olá"),
        _regex(r"\.*oi"),
        _regex("[^0-9]"),
        _regex("..."),
        _keywords(("contains", ".*")),
    ],
    "advanced-syntax": [
        _advanced("contains:pedido"),
        _advanced("contains:pedido,entrega"),
        _advanced("contains:pedido notcontains:cancelar"),
        _advanced("contains:troca contains:devolver"),
        _advanced("startswith:oi endswith:obrigado"),
        _advanced("exact:menu"),
        _advanced("Contains:Pedido"),
        _advanced("startsWith:oi"),
        _advanced("contains:10:30"),
        _advanced("contains:https://loja.com.br"),
        _advanced("exact:sim exact:ok"),
        _advanced("contains:devolução"),
        _keywords(("contains", "contem: oi, tudo")),
    ],
    "advanced-never": [
        _advanced("exact:sim exact:ok"),
        _advanced("contains:pedido notcontains:troca"),
        _advanced("contains:pedido,troca"),
        _advanced("startswith:oi contains:pedido"),
        _advanced("startswith:oi,oie"),
        _advanced("notcontains:oi"),
        _advanced("notcontains:oi,ola"),
        _advanced("startswith:oi endswith:oi"),
        _advanced("exact:pedido contains:ped"),
        _advanced("exact:sim exact:ok contains:sim"),
    ],
    "advanced-comma": [
        _advanced("contains:pedido,troca"),
        _advanced("contains:troca contains:trocar"),
        _advanced("notcontains:troca,trocar"),
        _advanced("contains:segunda,via"),
        _advanced("contains:alugar contains:comprar contains:locação"),
        _advanced("notcontains:alugar,comprar,locação"),
        _advanced("startswith:oi,oie"),
        _advanced("contains:boleto"),
    ],
    "padded-trigger": [
        _keywords(("equals", "1")),
        _keywords(("startsWith", "pedido ")),
        _keywords(("contains", " oi ")),
        _keywords(("endsWith", " sim")),
        _keywords(("equals", "bom dia")),
        _regex("oi "),
        "triggerOperator: equals\ntriggerValue: |-\n  oi\n",
        "triggerType: all\ntriggerValue: ' 1 '",
    ],
    "finish-is-trigger": [
        "triggerValue: menu\nkeywordFinish: sair",
        "triggerOperator: contains\ntriggerValue: sair\nkeywordFinish: sair",
        "triggerValue: menu\nkeywordFinish: ''",
        "settings: {keywordFinish: menu}\nbots: {a: {triggerValue: menu, keywordFinish: sair}}",
        "triggerType: advanced\ntriggerValue: exact:sair\nkeywordFinish: sair",
        "triggerValue: bye",
    ],
    "no-effect": [
        "kind: dify\nbotType: agent\napiUrl: https://dify/v1",
        "botType: assistant\nassistantId: asst_1\nfunctionUrl: https://exemplo.com.br",
        "model: gpt-4o\nsystemMessages: [Seja breve.]\nuserMessages: []",
        "defaults: {model: gpt-4o, systemMessages: [Seja breve.]}\n" + _bots(_KEY, "botType: assistant"),
        "defaults: {triggerOperator: equals}\n" + _bots(_KEY, f"triggerType: all, {_OFF}"),
        "triggerType: advanced\ntriggerValue: contains:oi",
        "triggerType: all\ntriggerValue: ''",
        "botType: assistant\nsystemMessages: []",
        "assistantId: ''\nfunctionUrl: ''",
        "botType: assistant\nmodel: ''",
        "defaults: {botType: assistant, functionUrl: 'https://exemplo.com.br'}\n"
        + _bots(_KEY, "botType: chatCompletion"),
        "enabled: false",
    ],
    "never-read": [
        "kind: typebot\nexpire: 60\nkeepOpen: true\nunknownMessage: Oi",
        "kind: n8n\nsplitMessages: true\nkeepOpen: false",
        "expire: 0",
        "unknownMessage: ''",
        "keywordFinish: sair",
        "settings: {expire: 0, unknownMessage: ''}",
        "debounceTime: 8",
    ],
    "not-known-yet": [
        "splitMessages: true",
        "timePerChar: 30",
        "settings: {splitMessages: true}",
    ],
    "ignore-jids-of-bot": [
        "kinds: {dify: {settings: {ignoreJids: ['@g.us']}}}\n" + _bots("kind: dify, ignoreJids: ['@g.us']"),
        "settings: {ignoreJids: ['@g.us']}",
        "settings: {ignoreJids: ['@g.us']}\nbots: {a: {ignoreJids: ['@g.us']}}",
        "settings: {ignoreJids: {merge: ['@g.us']}}\ndefaults: {ignoreJids: ['@g.us']}",
        "ignoreJids: []",
        "enabled: true",
    ],
    "jid-matches-nothing": [
        f"settings: {{ignoreJids: ['{jid}']}}"
        for jid in (
            "@g.us",
            "@s.whatsapp.net",
            "5511999999999@s.whatsapp.net",
            "120363043211234567@g.us",
            "5511999999999-1600000000@g.us",
            "123456789012345@lid",
            "status@broadcast",
            "120363043211234567@newsletter",
        )
    ]
    + ["settings: {ignoreJids: []}", "ignoreJids: ['@g.us']", "settings: {ignoreJids: {merge: ['@g.us']}}"],
    "padded-keyword-finish": [
        "keywordFinish: sair",
        "keywordFinish: ''",
        "keywordFinish: encerrar atendimento",
        "keywordFinish: '#SAIR'",
        "keywordFinish: |-\n  sair\n",
        "settings: {keywordFinish: Fim}",
    ],
    "keep-open": [
        "kind: n8n\nkeepOpen: true\nkeywordFinish: ''",
        "kind: n8n\nkeepOpen: true",
        "kind: typebot\nkeepOpen: false\nkeywordFinish: sair",
        "keepOpen: true\nkeywordFinish: ''",
        "keepOpen: false\nkeywordFinish: sair",
        "keywordFinish: sair",
        "settings: {keepOpen: true, keywordFinish: ''}",
        "settings: {keepOpen: true, keywordFinish: ''}\nbots: {a: {keepOpen: false, keywordFinish: sair}}",
        "settings: {keywordFinish: sair}\nbots: {a: {keepOpen: true, keywordFinish: ''}}",
        "settings: {keepOpen: false}\nbots: {a: {keywordFinish: sair}}",
    ],
    "debounce-milliseconds": [
        "debounceTime: 0",
        "debounceTime: 8",
        "debounceTime: 60",
        "settings: {debounceTime: 30}",
        "delayMessage: 8000",
    ],
    "delay-seconds": [
        "delayMessage: 1000",
        "delayMessage: 0",
        "delayMessage: 1",
        "delayMessage: 500",
        "settings: {delayMessage: 1500}",
        "debounceTime: 5",
    ],
    "zero-delay": ["delayMessage: 1", "delayMessage: 1000", "debounceTime: 0", "timePerChar: 0"],
    "assistants-api": [
        "botType: chatCompletion",
        "botType: chatCompletion\nassistantId: asst_1",
        "assistantMessages: [Olá!]",
        "triggerType: all",
        "defaults: {botType: assistant}\n" + _bots("botType: chatCompletion"),
    ],
    "reasoning-max-tokens": [
        f"model: {model}"
        for model in (
            "gpt-4o",
            "gpt-4o-mini",
            "gpt-4.1",
            "gpt-4-turbo",
            "gpt-3.5-turbo",
            "gpt-5-chat-latest",
            "chatgpt-4o-latest",
            "ft:gpt-4o-mini-2024-07-18:loja::abc",
            "omni-moderation-latest",
            "gpt-4o-audio-preview",
        )
    ]
    + ["botType: assistant\nmodel: o3"],
    "disabled-fallback": [
        "kinds: {n8n: {settings: {fallback: a}}}\n" + _bots(f"kind: n8n, {_OFF}"),
        "settings: {fallback: a}\n" + _bots("enabled: true"),
        "settings: {fallback: a}\n" + _bots(_KEY),
        "settings: {fallback: ''}\n" + _bots(_OFF),
        "settings: {expire: 0}\n" + _bots(_OFF),
        "settings: {fallback: b}\n" + _bots(_OFF, "triggerValue: 2"),
    ],
    "borrowed-credential": [
        "openaiCreds: main",
        "openaiCredsId: cm0abc",
        "defaults: {openaiCreds: main}",
        "defaults: {openaiCreds: {instance: suporte, name: x}}\n" + _bots("openaiCreds: main"),
    ],
    "description-cut": [
        "description: Pedidos",
        f"description: {'x' * 200}",
        "description: ''",
        f"description: '{'x' * 100}{' ' * 150}'",
        _KEY,
    ],
    "variable-without-vars": [
        "vars: {loja: Centro}\nbots: {a: {systemMessages: ['Você atende a ${loja}.']}}",
        "vars: {}\nbots: {a: {userMessages: ['${instance}']}}",
        "systemMessages: ['Custa $ {loja}, $${loja}, ${1}, ${} ou ${a b}']",
        "model: ${loja}",
    ],
    "two-kinds-answer": [
        _bots(_ALL, f"kind: n8n, {_ALL}, {_OFF}"),
        _bots(_ALL, _KEY),
        _bots(_KEY, "kind: n8n, triggerValue: 2"),
        _bots(
            f"kind: flowise, {_WITH} startsWith, triggerValue: pedido",
            f"kind: evoai, {_WITH} equals, triggerValue: ped",
        ),
        _bots(
            f"kind: flowise, {_WITH} equals, triggerValue: Oi",
            f"kind: evoai, {_WITH} equals, triggerValue: oi",
        ),
        _bots(
            "triggerType: advanced, triggerValue: 'contains:oi notcontains:dia'",
            "kind: n8n, triggerValue: oi dia",
        ),
        "kinds: {n8n: {settings: {fallback: a}}}\n" + _bots(f"kind: n8n, {_KEY}", "triggerValue: 2"),
        "settings: {ignoreJids: ['@s.whatsapp.net']}\nkinds: {dify: {settings: {ignoreJids: ['@g.us']}}}\n"
        + _bots(_ALL, f"kind: dify, {_ALL}"),
        _bots(_ALL, f"kind: dify, botType: workflow, {_ALL}"),
    ],
    "unused-fallback": [
        "settings: {fallback: a}\n" + _bots(_KEY),
        "kinds: {n8n: {settings: {fallback: ''}}}\n" + _bots("kind: n8n"),
        "kinds: {flowise: {settings: {fallback: a}}}\n" + _bots("kind: flowise"),
    ],
    "silent-bot-type": [
        "kind: dify\nbotType: agent",
        "botType: assistant",
    ],
    "key-over-http": [
        "kind: typebot\nurl: https://typebot.exemplo.com.br",
        "kind: n8n\nwebhookUrl: http://n8n:5678/webhook/1",
        "kind: flowise\napiUrl: http://127.0.0.1:3000/f",
        "kind: flowise\napiUrl: http://[::1]:3000/f",
        "botType: assistant\nfunctionUrl: http://exemplo.com.br/f",
        "kind: dify",
    ],
    "global-key-shared": [
        "kind: typebot\nurl: https://typebot",
        "kind: typebot\nurl: https://10.0.0.7",
        "kind: typebot\nurl: https://typebot.rede.internal",
        "kind: dify\napiUrl: https://api.dify.ai/v1",
    ],
    "unknown-rule": [
        "silence: [catch-all, no-effect]",
        "bots: {a: {silence: [assistants-api]}}",
        "silence: []",
        "defaults: {silence: [unknown-rule]}",
        "silence: [nonsense, unknown-rule]",
    ],
}


def _cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(rule, fragment) for rule, fragments in table.items() for fragment in fragments]


def test_every_rule_has_both() -> None:
    every = {rule.id for rule in RULES} - {"file-name"}  # which test_written.py has
    assert every == HITS.keys() == MISSES.keys()


@pytest.mark.parametrize(("rule", "fragment"), _cases(HITS))
def test_a_hit(rule: str, fragment: str, tmp_path: Path) -> None:
    assert rule in rules(tmp_path, fragment)


@pytest.mark.parametrize(("rule", "fragment"), _cases(MISSES))
def test_a_miss(rule: str, fragment: str, tmp_path: Path) -> None:
    assert rule not in rules(tmp_path, fragment)


@pytest.mark.parametrize(
    "fragment",
    [
        _keywords(("equals", "1"), ("equals", "2"), ("equals", "0"), ("equals", "10")),
        _keywords(
            ("startsWith", "pedido"), ("contains", "troca"), ("endsWith", "obrigado"), ("equals", "oi")
        ),
        _keywords(("regex", r"^(oi|olá|bom dia)\b"), ("contains", "preço"), ("regex", r"\d{5}-?\d{3}")),
        _keywords(("advanced", "contains:troca contains:devol"), ("equals", "menu"), ("contains", "pedido")),
        f"triggerType: all\n{'systemMessages: [Você atende a loja.]'}\nkeywordFinish: sair\ndebounceTime: 8",
        _bots(_ALL, f"{_ALL}, {_OFF}"),
        "settings: {keywordFinish: sair, debounceTime: 8, delayMessage: 1500, fallback: a}\n"
        "bots: {a: {triggerValue: ajuda}, b: {triggerValue: 1}}",
        "splitMessages: true\ntimePerChar: 30\nlisteningFromMe: false\nstopBotFromMe: true\nkeepOpen: false",
        _bots(*(f"kind: {path}" for path in KINDS)),
        _bots(f"kind: n8n, {_ALL}", f"kind: dify, {_KEY}, {_OFF}"),
    ],
)
def test_silence_where_nothing_is_amiss(fragment: str, tmp_path: Path) -> None:
    assert rules(tmp_path, fragment) == set()


@pytest.mark.parametrize(
    ("rule", "fragment", "server", "speaks"),
    [
        ("none-matches-all", _NONE, "2.3.0", True),
        ("none-matches-all", _NONE, "2.2.3", False),
        ("catch-all", _bots(_NONE, _KEY), "2.2.3", False),
        ("catch-all", _bots(_ALL, _KEY), "2.2.3", True),
        ("never-read", "expire: 60", "2.2.3", False),
        ("never-read", "expire: 60", "2.3", True),
        ("never-read", "expire: 60", "2.4.0-rc2", True),
        ("not-known-yet", "splitMessages: true", "2.1.1", True),
        ("not-known-yet", "settings: {timePerChar: 30}", "2.1.2", True),
        ("not-known-yet", "splitMessages: true", "2.2.0", False),
        ("not-known-yet", "debounceTime: 5", "2.1.2", False),
        ("not-known-yet", "kind: typebot\nsplitMessages: true", "2.2.3", True),
        ("not-known-yet", "kind: dify\nsplitMessages: true", "2.2.3", False),
        ("not-known-yet", "kind: n8n", "2.2.3", True),
        ("not-known-yet", "kind: n8n", "2.3.0", False),
        ("never-read", "kind: dify\nkeepOpen: true", "2.2.3", False),
        ("keep-open", "kind: dify\nkeepOpen: true\nkeywordFinish: sair", "2.2.3", True),
        ("keep-open", "kind: dify\nkeywordFinish: sair", "2.2.3", False),
        (
            "unused-fallback",
            "kinds: {dify: {settings: {fallback: a}}}\n" + _bots("kind: dify"),
            "2.2.3",
            False,
        ),
        ("silent-bot-type", "kind: dify\nbotType: workflow", "2.2.3", False),
        ("global-key-shared", "kind: dify\napiUrl: https://api.dify.ai/v1", "2.2.3", True),
        ("global-key-shared", "botType: assistant\nfunctionUrl: https://exemplo.com.br", "2.2.3", False),
        ("keep-open", "keepOpen: true\nkeywordFinish: sair", "2.3.7", True),
        ("keep-open", "keepOpen: true\nkeywordFinish: sair", "2.3.8", False),
        ("finish-is-trigger", "triggerValue: a\nkeywordFinish: a", "2.2.3", False),
        ("regex-invalid", _regex("(?i:oi)"), "2.3.2", True),
        ("regex-invalid", _regex("(?i:oi)"), "2.3.3", False),
        ("regex-invalid", _regex("(?<x>a)|(?<x>b)"), "2.2.3", True),
    ],
)
def test_servers(rule: str, fragment: str, server: str, speaks: bool, tmp_path: Path) -> None:
    assert (rule in rules(tmp_path, fragment, version(server))) == speaks


def test_what_to_do_about_none(tmp_path: Path) -> None:
    [warning] = warned(tmp_path, _NONE)
    assert warning.text.endswith(": write `enabled: false` if none should start it")


@pytest.mark.parametrize(
    ("text", "read"),
    [("2.3.6", (2, 3, 6)), ("v2.2", (2, 2, 0)), ("2.4.0-rc2", (2, 4, 0))],
)
def test_versions(text: str, read: tuple[int, int, int]) -> None:
    assert version(text) == read


@pytest.mark.parametrize("text", ["", "2", "latest", "2.3.6.1", "2.3.6 ", "²․3"])
def test_no_versions(text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        version(text)


def test_every_warning_says_what_to_do(tmp_path: Path) -> None:
    for number, (_, fragment) in enumerate(_cases(HITS)):
        directory = tmp_path / str(number)
        directory.mkdir()
        for warning in warned(directory, fragment, NEWEST):
            whose, _, said = warning.text.partition(": ")
            assert ": " in said or warning.rule == "unknown-rule", whose
            assert warning.text.isprintable()
            assert len(warning.text) < 500
