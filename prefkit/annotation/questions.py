"""The questions a layout may ask, as `annotation/layouts/*.toml` writes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Title = Annotated[str, Field(min_length=1, max_length=400)]  # Argilla: 500, less our letters
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class Strict(BaseModel):
    """Frozen; a key nobody knows is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Question(Strict):
    title: Title
    description: str = Field("", max_length=1000)
    required: bool = False


class Ranking(_Question):
    """Put all answers in order; equal places allowed."""

    asks: Literal["ranking"]
    name: Name = "ranking"
    required: bool = True


class PreferenceOption(Strict):
    """One choice between answers A and B."""

    name: Name
    text: Title
    a: float = Field(ge=0, le=1, description="Credit of answer A: 1 wins, 0.5 tie, 0 loses.")


class Preference(_Question):
    """Choose between two answers."""

    asks: Literal["preference"]
    name: Name = "preference"
    required: bool = True
    options: tuple[PreferenceOption, ...] = Field(min_length=2, max_length=20)


class Decision(_Question):
    """Accept, edit or reject."""

    asks: Literal["decision"]
    name: Name = "decision"
    required: bool = True
    accept: Title = "Accept"
    edit: Title = "Accept with my edit"
    reject: Title = "Reject"


class Reason(Strict):
    """One reason to choose from."""

    name: Name
    text: Title


class Reasons(_Question):
    """Choose any number of reasons."""

    asks: Literal["reasons"]
    name: Name = "reasons"
    options: tuple[Reason, ...] = Field(min_length=2, max_length=50)


class Edit(_Question):
    """The reviewed answer as it should be."""

    asks: Literal["edit"]
    name: Name = "edit"
    prefill: bool = Field(True, description="The answer stands in the box, ready to be changed.")


class Rewrite(_Question):
    """A better answer than those shown."""

    asks: Literal["rewrite"]
    name: Name = "rewrite"


class Rating(_Question):
    """Whole numbers from lowest to highest, one an answer."""

    asks: Literal["rating"]
    name: Name
    lowest: int = Field(1, ge=0, le=10)
    highest: int = Field(5, ge=0, le=10)

    @model_validator(mode="after")
    def _ascending(self) -> "Rating":
        if self.lowest >= self.highest:
            raise ValueError("lowest must be below highest")
        return self


class ScoredOption(Strict):
    """One choice and what it counts."""

    name: Name
    text: Title
    score: float


class Choice(_Question):
    """One of several words with scores, one an answer."""

    asks: Literal["choice"]
    name: Name
    options: tuple[ScoredOption, ...] = Field(min_length=2, max_length=50)


class Comment(_Question):
    """Free text that nothing is trained on."""

    asks: Literal["comment"]
    name: Name = "comment"


Question = Annotated[
    Ranking | Preference | Decision | Reasons | Edit | Rewrite | Rating | Choice | Comment,
    Field(discriminator="asks"),
]
Asked = Ranking | Preference | Decision | Reasons | Edit | Rewrite | Rating | Choice | Comment
PER_ANSWER = (Rating, Choice)
