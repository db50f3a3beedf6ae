"""Meaning: whether an article says what a topic asks for, in whatever words, and not the contrary.

The parts, each dearer and surer than the one before: a sieve that guesses from the words alone (``sieve``, with the
token table of ``models``), an encoder that sees the subject and its side (``models.Models.embed``), a verifier that
reads claim and passage together (``heads``), and a judge (``worker.model.Judge``). ``cascade`` decides which passage
goes how far, ``names`` and ``tense`` add what models overlook, ``decision`` makes one score of it, ``engine`` puts it
all together.

Importing this package is dear (numpy, onnxruntime, tokenizers): only ``worker.build`` and the scripts of
``worker.training`` do. What the rest of the house needs to know stands in ``worker.topics.meant``.
"""
