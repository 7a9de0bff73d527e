"""The kinds of annotations of own data: their keys, types, and rules between keys."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from harness.files.parsing import Finite, Int64

Corners = tuple[Finite, Finite, Finite, Finite]
Pixels = Annotated[int, Meta(gt=0, le=2**31)]
Texts = Annotated[list[str], Meta(min_length=1)]
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")  # labels written as text
UNIT = (
    "'box' is left, top, width, height in pixels of the upright image, "
    "'box_xyxy' left, top, right, bottom"
)


class Entry(Struct, kw_only=True):
    """One annotation; its id is a whole number or a text, None where the file has none."""

    id: Int64 | str | None = None

    def named_images(self) -> Sequence[str]:
        """Return the names of its images."""
        raise NotImplementedError

    def texts(self) -> Sequence[str]:
        """Return its texts, none of which may be blank."""
        raise NotImplementedError

    @property
    def has_truth(self) -> bool:
        """Whether it says what is right."""
        raise NotImplementedError

    def problem(self) -> str | None:
        """Return what is wrong with its values taken together, None if nothing is."""
        return None


class RegionEntry(Entry, kw_only=True):
    """An expression and, if known, the box it refers to, in pixels of the upright image."""

    image: str
    expression: str
    box: Corners | None = None  # left, top, width, height
    box_xyxy: Corners | None = None  # left, top, right, bottom
    width: Pixels | None = None
    height: Pixels | None = None

    def named_images(self) -> Sequence[str]:
        """Return the name of its image."""
        return (self.image,)

    def texts(self) -> Sequence[str]:
        """Return the expression."""
        return (self.expression,)

    @property
    def has_truth(self) -> bool:
        """Whether it has a box."""
        return self.true_box is not None

    @property
    def true_box(self) -> Corners | None:
        """The box as left, top, width, height."""
        if self.box_xyxy is None:
            return self.box
        left, top, right, bottom = self.box_xyxy
        return left, top, right - left, bottom - top

    def problem(self) -> str | None:
        """Return what is wrong with its box or size."""
        if self.box is not None and self.box_xyxy is not None:
            return "has both 'box' and 'box_xyxy'; give one of them"
        if (self.width is None) != (self.height is None):
            return "has one of 'width' and 'height'; give both, or neither"
        return box_problem(self.true_box, self.width, self.height)


class CaptionEntry(Entry, kw_only=True):
    """An image and its captions: all of them, or one per line."""

    image: str
    captions: Texts | None = None
    caption: str | None = None

    def named_images(self) -> Sequence[str]:
        """Return the name of its image."""
        return (self.image,)

    def texts(self) -> Sequence[str]:
        """Return the captions."""
        return [*(self.captions or ()), *([] if self.caption is None else [self.caption])]

    @property
    def has_truth(self) -> bool:
        """Whether it has captions."""
        return bool(self.texts())

    def problem(self) -> str | None:
        """Return whether it has captions by both keys."""
        both = self.captions is not None and self.caption is not None
        return "has both 'captions' and 'caption'; give one of them" if both else None


class QuestionEntry(Entry, kw_only=True):
    """A question and its true answers, if they are known."""

    image: str
    question: str
    answers: Texts | None = None
    answer: str | None = None

    def named_images(self) -> Sequence[str]:
        """Return the name of its image."""
        return (self.image,)

    def true_answers(self) -> Sequence[str]:
        """Return the true answers."""
        return [*(self.answers or ()), *([] if self.answer is None else [self.answer])]

    def texts(self) -> Sequence[str]:
        """Return the question and the answers."""
        return (self.question, *self.true_answers())

    @property
    def has_truth(self) -> bool:
        """Whether it has an answer."""
        return bool(self.true_answers())

    def problem(self) -> str | None:
        """Return whether it has answers by both keys."""
        both = self.answers is not None and self.answer is not None
        return "has both 'answers' and 'answer'; give one of them" if both else None


class PairEntry(Entry, kw_only=True):
    """A statement about a left and a right image, and whether it is true, if that is known.

    The statements of one `group` count together for the consistency.
    """

    statement: str
    images: tuple[str, str] | None = None
    left: str | None = None
    right: str | None = None
    label: bool | str | None = None
    group: Int64 | str | None = None

    def named_images(self) -> Sequence[str]:
        """Return the names of the left and the right image."""
        return self.images or (self.left or "", self.right or "")

    def texts(self) -> Sequence[str]:
        """Return the statement."""
        return (self.statement,)

    @property
    def has_truth(self) -> bool:
        """Whether it has a label."""
        return self.label is not None

    @property
    def truth(self) -> bool | None:
        """The label as true or false."""
        return self.label.lower() in TRUE if isinstance(self.label, str) else self.label

    def problem(self) -> str | None:
        """Return what is wrong with its images or label."""
        separate = (self.left, self.right)
        if self.images is not None and separate != (None, None):
            return "has 'images' beside 'left' or 'right'; give one of them"
        if self.images is None and None in separate:
            return "has no 'images', a list of the left and the right one"
        if isinstance(self.label, str) and self.label.lower() not in (*TRUE, *FALSE):
            return f"label should be true or false, but is {self.label!r}"
        return None


def box_problem(box: Corners | None, width: int | None, height: int | None) -> str | None:
    """Return why a box (left, top, width, height) does not fit an image, None if it does.

    It may reach over the border by a pixel and a hundredth of the image, as rounded boxes do.
    """
    if box is None:
        return None
    x, y, box_width, box_height = box
    if box_width <= 0 or box_height <= 0:
        return f"has the box {_numbers(box)} without any area; {UNIT}"
    if width is None or height is None:
        return None
    spare_x, spare_y = 1 + width / 100, 1 + height / 100
    inside = -spare_x <= x and x + box_width <= width + spare_x
    if inside and -spare_y <= y and y + box_height <= height + spare_y:
        return None
    return f"has the box {_numbers(box)}, outside of its image of {width} x {height}; {UNIT}"


def _numbers(box: Corners) -> str:
    return f"[{', '.join(f'{number:g}' for number in box)}]"
