"""Adapt pages to the site: where links out of `docs/` lead, and pipes in the cells of tables."""

import re
from typing import Any

OUTSIDE = re.compile(r"\]\(\.\./([^)#]*)")
CODE = re.compile(r"`[^`\n]+`")


def on_page_markdown(markdown: str, *, config: Any, **_: Any) -> str:
    """Return a page whose links to files beside `docs/` name them in the repository.

    A pipe in code ends a cell on GitHub unless it is escaped; the site would show the backslash.
    """
    markdown = CODE.sub(lambda code: code[0].replace(r"\|", "|"), markdown)
    return OUTSIDE.sub(rf"]({config['repo_url'].rstrip('/')}/blob/main/\1", markdown)
