"""The rules by which the golden cases of ALBEF and BLIP read texts."""

from dataclasses import replace

from harness.models.fusion.runtime import TextRule
from tests.support.golden import Case


def rule_of(case: Case, rule: TextRule) -> TextRule:
    """Return an adapter's rule with the lengths of a golden's configuration."""
    config = case.config["config"]
    return replace(
        rule,
        words=config.get("max_words", rule.words),
        max_tokens=config.get("max_tokens", rule.max_tokens),
    )
