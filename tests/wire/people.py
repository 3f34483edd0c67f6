"""Callers of every sort, as an operator's file declares them."""

from __future__ import annotations

VICTIM = "sk-live-victim-0000000000000000000001"
"""Has money, and must not lose any."""
OTHER = "sk-live-other-00000000000000000000002"
POOR = "sk-live-poor-000000000000000000000003"
"""An account with not a cent."""
EXPIRED = "sk-live-expired-000000000000000000004"
DISABLED = "sk-live-disabled-00000000000000000005"
BUDGETED = "sk-live-budgeted-00000000000000000006"
"""Its own budget is smaller than any image."""
CHEAP = "sk-live-cheap-00000000000000000000007"
"""In a price group of half the price."""
TESTER = "sk-test-tester-00000000000000000000008"
READER = "sk-live-reader-0000000000000000000010"
"""Of an account that nobody watches."""
NARROW = "sk-live-narrow-000000000000000000009"
"""May call one model only."""

BUDGET = 2_000_000
"""10⁻⁹ USD."""

PEOPLE = f"""
[groups]
default = 1
half = "0.5"

[[users]]
name = "victim"
password = "victim-password"
credit = 50

[[users]]
name = "other"
password = "other-password"
credit = 50

[[users]]
name = "reader"
password = "reader-password"
credit = 50

[[users]]
name = "poor"
password = "poor-password"

[[tokens]]
name = "victim"
key = "{VICTIM}"
account = "victim"

[[tokens]]
name = "other"
key = "{OTHER}"
account = "other"

[[tokens]]
name = "reader"
key = "{READER}"
account = "reader"

[[tokens]]
name = "poor"
key = "{POOR}"
account = "poor"

[[tokens]]
name = "expired"
key = "{EXPIRED}"
account = "victim"
expires_at = 2024-01-01T00:00:00Z

[[tokens]]
name = "disabled"
key = "{DISABLED}"
account = "victim"
status = "disabled"

[[tokens]]
name = "budgeted"
key = "{BUDGETED}"
account = "other"
budget = 0.002

[[tokens]]
name = "cheap"
key = "{CHEAP}"
account = "other"
price_group = "half"

[[tokens]]
name = "tester"
key = "{TESTER}"
account = "other"
mode = "test"

[[tokens]]
name = "narrow"
key = "{NARROW}"
account = "other"
models = ["gpt-4o-mini"]
"""
