"""Articles: a page to the text that its publisher wrote, or to the name of what the page shows instead.

Everything here works on bytes that somebody else fetched. The one library behind it, trafilatura, is imported when
the first page is read.
"""

from worker.articles.decoding import Decoded, binary_kind, decode
from worker.articles.extraction import Extract, NoText, extract, page_head
from worker.articles.head import Head, language_of

__all__ = ["Decoded", "Extract", "Head", "NoText", "binary_kind", "decode", "extract", "language_of", "page_head"]
