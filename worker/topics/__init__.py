"""Topics: whether an article says what a watch topic asks for, and where.

A topic's clauses become one form of expression (``terms``, ``query``, ``rules``); the words of an article become
numbers, all at once (``letters``, ``table``, ``lexicon``); a percolator holds all topics and wakes those whose rarest
words the article has (``index``, ``percolator``); those are looked for with positions (``atoms``, ``concordance``,
``windows``, ``search``, ``negation``) and answered with a reason, a score and evidence
(``verdicts``). Matching by meaning is ``meaning``: where it is off, a topic that has no rule, or that requires meaning
beside its rule, is answered with ``meaning-disabled`` and never passed over in silence.

Nothing here reads a clock, a socket, a file or a random number.
"""

from worker.topics.errors import RuleError
from worker.topics.lint import Lint, lint_topic
from worker.topics.percolator import Percolator, compile_topics
from worker.topics.rules import check_topic

__all__ = ["Lint", "Percolator", "RuleError", "check_topic", "compile_topics", "lint_topic"]
