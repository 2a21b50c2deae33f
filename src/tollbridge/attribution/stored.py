"""Which rules are in force, when an operator has had a say?"""

from collections.abc import Iterable, Sequence

import msgspec

from tollbridge.attribution.rules import STRENGTH, Rule, RuleSet


class StoredRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that an operator added, or a built-in one's switch."""

    rule_id: str
    position: int
    enabled: bool
    rule: Rule | None
    """None: this is a built-in rule's switch."""
    version: int
    """An edit names the version that it was made from."""
    created_at_us: int
    updated_at_us: int
    updated_by: str


class ListedRule(msgspec.Struct, frozen=True):
    """A rule with its state."""

    rule: Rule
    enabled: bool
    stored: StoredRule | None
    """None: built in, and never switched."""

    @property
    def is_builtin(self) -> bool:
        """Whether it comes with Tollbridge."""
        return self.stored is None or self.stored.rule is None


def listed(rule_set: RuleSet, stored: Iterable[StoredRule]) -> list[ListedRule]:
    """Return all rules in the order in which they are tried, with those that are off.

    Within a rank an operator's stand before the built-in ones.
    """
    kept = sorted(stored, key=lambda one: (one.position, one.rule_id))
    switches = {one.rule_id: one for one in kept if one.rule is None}
    rules = [ListedRule(one.rule, one.enabled, one) for one in kept if one.rule is not None]
    for rule in rule_set.rules:
        switch = switches.get(rule.id)
        rules.append(ListedRule(rule, switch is None or switch.enabled, switch))
    return sorted(rules, key=lambda one: STRENGTH[one.rule.rank])


def in_force(rule_set: RuleSet, stored: Sequence[StoredRule]) -> RuleSet:
    """Return the rules that are on, in order."""
    if not stored:
        return rule_set
    rules = tuple(one.rule for one in listed(rule_set, stored) if one.enabled)
    return RuleSet(rules, rule_set.reveals)
