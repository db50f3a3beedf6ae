"""Text: tokens, stems, spelling families and sentences, all with offsets into the original.

Everything that compares words goes through ``fold``, so that "programmes", "Program" and "PROGRAMME’S" are one
term wherever they are met: in a topic, in an article, in a story.
"""

from worker.text.sentences import first_sentences, sentences
from worker.text.spelling import spelling
from worker.text.tokens import Token, fold, folder, squeeze, squeezed, stemmer, terms, tokens
from worker.text.words import plain, word_pattern, words

__all__ = [
    "Token",
    "first_sentences",
    "fold",
    "folder",
    "plain",
    "sentences",
    "spelling",
    "squeeze",
    "squeezed",
    "stemmer",
    "terms",
    "tokens",
    "word_pattern",
    "words",
]
