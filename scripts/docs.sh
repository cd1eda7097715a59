#!/bin/sh
# Builds the book of docs/ into target/book/, and checks that every link in it leads somewhere.
#
# The book takes mdbook, which is not among the tests' needs: cargo install mdbook --locked. The links of the pages
# themselves, and all else that they say, are checked without it: cargo test --test integration readme.
set -eu
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
cargo test --quiet --locked --test integration readme::
mdbook=$(command -v mdbook || echo "${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}/bin/mdbook")
if [ ! -x "$mdbook" ]; then
    echo "docs: the pages are checked, but mdbook is not installed, so the book was not built: cargo install mdbook --locked" >&2
    exit 1
fi
rm -rf "$target/book"
"$mdbook" build --dest-dir "$(realpath -m "$target/book")"

# Every link of every page, file and heading, as mdbook wrote them.
python3 - "$target/book" <<'END'
import html.parser, os, sys, urllib.parse

class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("id", "name"):
                self.ids.add(value)
            elif name in ("href", "src") and value and tag in ("a", "img"):
                self.links.append(value)

book = sys.argv[1]
paths = [os.path.join(d, n) for d, _, names in os.walk(book) for n in names if n.endswith(".html")]
pages = {os.path.normpath(path): Page(path) for path in paths if os.path.basename(path) not in ("404.html", "toc.html", "print.html")}
broken = links = 0
for path, page in sorted(pages.items()):
    for link in page.links:
        parts = urllib.parse.urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        links += 1
        target = os.path.normpath(os.path.join(os.path.dirname(path), urllib.parse.unquote(parts.path))) if parts.path else path
        anchor = urllib.parse.unquote(parts.fragment)
        if not os.path.exists(target) or (anchor and target in pages and anchor not in pages[target].ids):
            broken += 1
            print(f"docs: {path}: nothing at {link}", file=sys.stderr)
print(f"docs: {links} links on {len(pages)} pages of {book}, {broken} broken")
sys.exit(broken > 0)
END
