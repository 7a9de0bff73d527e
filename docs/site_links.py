"""Let links out of `docs/` lead to the repository, where the site has no page for them."""

import re
from typing import Any

OUTSIDE = re.compile(r"\]\(\.\./([^)#]*)")


def on_page_markdown(markdown: str, *, config: Any, **_: Any) -> str:
    """Return a page whose links to files beside `docs/` name them in the repository."""
    return OUTSIDE.sub(rf"]({config['repo_url'].rstrip('/')}/blob/main/\1", markdown)
