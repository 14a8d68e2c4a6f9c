"""Parsing of the webhooks that people paste."""

import pytest

from custom_components.bitrix24_sip.bitrix24 import InvalidWebhookUrl, Webhook

CODE = "abcdefghij012345"
NORMAL = f"https://acme.bitrix24.ru/rest/1/{CODE}/"


@pytest.mark.parametrize(
    ("pasted", "normal"),
    [
        (NORMAL, NORMAL),
        (NORMAL.rstrip("/"), NORMAL),
        (f"  {NORMAL}\n", NORMAL),
        (f"\ufeff{NORMAL}\u200b", NORMAL),
        (f'"{NORMAL}"', NORMAL),
        (f"<{NORMAL}>", NORMAL),
        (f"{NORMAL}profile.json", NORMAL),
        (f"{NORMAL}crm.lead.list", NORMAL),
        (f"{NORMAL}crm.lead.list?start=50", NORMAL),
        (f"{NORMAL}profile.xml/", NORMAL),
        (f"{NORMAL}profile#top", NORMAL),
        (f"HTTPS://Acme.Bitrix24.RU:443/rest/1/{CODE}/", NORMAL),
        (f"https://acme.bitrix24.ru./rest/1/{CODE}/", NORMAL),
        (f"acme.bitrix24.ru/rest/1/{CODE}/", NORMAL),
        (f"https://acme.bitrix24.ru//rest//1/{CODE}//profile", NORMAL),
        (f"https://acme.bitrix24.ru/rest/api/1/{CODE}/", NORMAL),
        (
            "https://acme.bitrix24.ru/rest/1/AbCdEfGh/",
            "https://acme.bitrix24.ru/rest/1/AbCdEfGh/",
        ),
        (
            f"https://портал.рф/rest/1/{CODE}/",
            f"https://xn--80awhdgm.xn--p1ai/rest/1/{CODE}/",
        ),
        (
            f"https://{'a' * 63}.ru/rest/1/{CODE}/",
            f"https://{'a' * 63}.ru/rest/1/{CODE}/",
        ),
        (
            f"https://b24.example.org:8443/rest/17/{CODE}/",
            f"https://b24.example.org:8443/rest/17/{CODE}/",
        ),
        (
            f"https://intra.example.org/portal/rest/17/{CODE}/",
            f"https://intra.example.org/portal/rest/17/{CODE}/",
        ),
        (
            f"https://intra.example.org/rest/portal/rest/17/{CODE}/",
            f"https://intra.example.org/rest/portal/rest/17/{CODE}/",
        ),
        (
            f"https://[2001:DB8::1]:8443/rest/1/{CODE}/",
            f"https://[2001:db8::1]:8443/rest/1/{CODE}/",
        ),
        *(
            (f"http://{host}/rest/1/{CODE}/", f"http://{host}/rest/1/{CODE}/")
            for host in (
                "127.0.0.1:8080",
                "10.1.2.3",
                "192.168.0.10",
                "[::1]",
                "[fd00::1]",
                "localhost",
                "b24.lan",
                "bitrix",
                "b24.local",
            )
        ),
        (f"http://b24.lan:80/rest/1/{CODE}/", f"http://b24.lan/rest/1/{CODE}/"),
    ],
)
def test_normal_form(pasted: str, normal: str) -> None:
    """Every way of copying the webhook leads to the same result."""
    webhook = Webhook.parse(pasted)
    assert webhook.url == normal
    assert Webhook.parse(webhook.url) == webhook


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        ("", "not_a_url"),
        ("   ", "not_a_url"),
        ("hello world", "not_a_url"),
        (f"ftp://acme.bitrix24.ru/rest/1/{CODE}/", "wrong_scheme"),
        ("ftp://acme.bitrix24.ru/", "wrong_scheme"),
        ("https://acme.bitrix24.ru:port/", "not_a_url"),
        (f"https://acme.bitrix24.ru:port/rest/1/{CODE}/", "wrong_host"),
        (f"https://acme.bitrix24.ru:99999/rest/1/{CODE}/", "wrong_host"),
        (f"https://[::1/rest/1/{CODE}/", "wrong_host"),
        (f"https:///rest/1/{CODE}/", "wrong_host"),
        (f"https://ac me.bitrix24.ru/rest/1/{CODE}/", "wrong_host"),
        (f"https://acme..ru/rest/1/{CODE}/", "wrong_host"),
        (f"https://acme-.ru/rest/1/{CODE}/", "wrong_host"),
        (f"https://{'a' * 64}.ru/rest/1/{CODE}/", "wrong_host"),
        (f"https://{'ä' * 80}.de/rest/1/{CODE}/", "wrong_host"),
        (f"https://me:pw@acme.bitrix24.ru/rest/1/{CODE}/", "user_info"),
        ("https://acme.bitrix24.ru/", "not_a_webhook"),
        ("https://acme.bitrix24.ru/crm/lead/1/", "not_a_webhook"),
        (f"https://acme.bitrix24.ru/rest/1/{CODE}/a/b", "too_many_parts"),
        (f"https://acme.bitrix24.ru/rest/{CODE}/", "no_user_id"),
        (f"https://acme.bitrix24.ru/rest/01/{CODE}/", "no_user_id"),
        (f"https://acme.bitrix24.ru/rest/admin/{CODE}/", "no_user_id"),
        ("https://acme.bitrix24.ru/rest/1/", "no_code"),
        ("https://acme.bitrix24.ru/rest/", "no_code"),
        (f"http://acme.bitrix24.ru/rest/1/{CODE}/", "insecure"),
        (f"http://93.184.216.34/rest/1/{CODE}/", "insecure"),
    ],
)
def test_refused(pasted: str, reason: str) -> None:
    """Other input is refused with a reason that does not repeat it."""
    with pytest.raises(InvalidWebhookUrl) as caught:
        Webhook.parse(pasted)
    assert caught.value.reason == reason
    assert CODE not in str(caught.value)


def test_parts() -> None:
    """The properties return the parts of the URL."""
    webhook = Webhook.parse(f"https://Intra.example.org:8443/portal/rest/17/{CODE}/")
    assert webhook.base == "https://intra.example.org:8443/portal"
    assert webhook.portal == "intra.example.org:8443/portal"
    assert webhook.host == "intra.example.org:8443"
    assert (webhook.user_id, webhook.code) == (17, CODE)


def test_shows_the_host_only() -> None:
    """Neither `str` nor `repr` shows the secret or the user."""
    webhook = Webhook.parse(f"https://acme.bitrix24.ru/rest/4711/{CODE}/")
    for text in (str(webhook), repr(webhook), f"{webhook}", f"{[webhook]}"):
        assert "acme.bitrix24.ru" in text
        assert CODE not in text
        assert "4711" not in text


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("nothing of it", False),
        (CODE, True),
        (f"/rest/1/{CODE}/profile", True),
        ("fghij", True),
        ("abcd", False),
        ("012345", True),
    ],
)
def test_finds_a_leak(text: str, leaks: bool) -> None:
    """More than 4 characters of the secret in a text count as a leak."""
    assert Webhook.parse(NORMAL).leaks_into(text) is leaks


def test_finds_a_leak_of_a_short_code() -> None:
    """A code of 4 characters counts as a leak if it appears whole."""
    webhook = Webhook.parse("https://acme.bitrix24.ru/rest/1/abcd/")
    assert webhook.leaks_into("xabcdx")
    assert not webhook.leaks_into("abc")


@pytest.mark.parametrize(
    ("link", "may"),
    [
        ("https://acme.bitrix24.ru/settings/license_phone_sip.php", True),
        ("http://acme.bitrix24.ru:8080/x?y=1#z", True),
        ("https://ACME.bitrix24.ru/", True),
        ("https://acme.bitrix24.ru.example.com/", False),
        ("https://acme.bitrix24.ru@example.com/", False),
        ("https://me:secret@acme.bitrix24.ru/", False),
        ("//acme.bitrix24.ru/", False),
        ("/settings/", False),
        ("javascript:alert(1)//acme.bitrix24.ru/", False),
        ("https://[acme", False),
        (f"https://acme.bitrix24.ru/?back=/rest/1/{CODE}/", False),
        ("", False),
    ],
)
def test_links_that_may_be_shown(link: str, may: bool) -> None:
    """Only those to the portal itself, and none that holds the secret."""
    assert Webhook.parse(NORMAL).may_link_to(link) is may
