"""Which words a drawing is given where nobody wrote any: those that its reader is sure of, and that the model knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..stream.base.articles import article
from .reader import KIND, NONE, Words

SURE = 0.6  # from which on a word is said
KEPT = 0.4  # from which on it goes on being said
AHEAD = 0.15  # how much surer another word must be to take its place
NOUNS = ("style", "name")  # groups whose words say more than the kind's

Shares = Mapping[str, Mapping[str, float]]
"""How sure a reader is of each word, by groups; empty: next to nothing is drawn."""


@dataclass(frozen=True)
class Guess:
    """What a drawing is taken for; empty: nobody knows."""

    kind: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    """Group -> its word, where one is sure and something is there."""

    def text(self, words: Words) -> str:
        """As a prompt says it: the thing itself first, and what else is known of it."""
        if not self.kind:
            return ""
        noun = next((self.words[name] for name in NOUNS if name in self.words), self.kind)
        more = [
            words.forms.get(name, "{}").format(word)
            for name, word in self.words.items()
            if name not in NOUNS
        ]  # fmt: skip
        return ", ".join([f"{article(noun)} {noun}", *more])


NOTHING = Guess()


def guess(shares: Shares, words: Words, known: Mapping[str, Sequence[str]], before: Guess = NOTHING) -> Guess:
    """The words that a drawing is given, ``known`` being the model's own by tags; what was said ``before`` stays until
    another word is clearly better, or it became doubtful itself.

    Nothing is said of a kind that the model does not know, and no word that it does not know.
    """
    if not shares:
        return NOTHING
    kind, sure = _chosen(shares[KIND], before.kind)
    if not kind or kind not in known.get(KIND, ()):
        return NOTHING
    said = {}
    for group, own in words.of[kind].items():
        total = sum(shares[group][word] for word in own)
        own_shares = {word: sure * shares[group][word] / max(total, 1e-6) for word in own}
        word, _ = _chosen(own_shares, before.words.get(group, "") if kind == before.kind else "")
        if word and word != NONE and word in known.get(group, ()):
            said[group] = word
    return Guess(kind, said)


def _chosen(shares: Mapping[str, float], before: str) -> tuple[str, float]:
    """The word that is sure enough, and how sure; empty: none is."""
    best = max(shares, key=lambda word: shares[word])
    held = shares.get(before, 0.0)
    if held >= KEPT and shares[best] < held + AHEAD:
        return before, held
    return (best, shares[best]) if shares[best] >= SURE else ("", 0.0)
