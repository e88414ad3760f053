"""Records with planted paraphrases, look-alikes and oddities, for the embedder of concepts."""

from prefkit.records import Example, PreferencePair, assistant, user

PARAPHRASES = [
    ("How long is parental leave?", "What is the duration of parental absence?"),
    ("Who approves overtime in the bakery?", "Who signs off overtime in the bakery?"),
    ("Where are the safety goggles kept?", "Where are the safety glasses stored?"),
]
# Half of their words are shared, or all but a number, a name or a turning word.
LOOK_ALIKES = [
    ("How long is sick leave?", "How long is the lunch break?"),
    ("May guests smoke on the balcony?", "May guests sleep on the lawn?"),
    ("Is the pool open before noon?", "Is the pool open after noon?"),
    ("Is room 12 heated at night?", "Is room 13 heated at night?"),
    ("Does the ferry to Skye run daily in snow?", "Does the ferry to Mull run daily in snow?"),
]


def example(number, prompt, reference=""):
    said = reference or f"The answer numbered {number} stands in the house rules."
    return Example(id=f"r{number:03}", prompt=prompt, reference=said)


def examples():
    """One example a question; paraphrases get different answers, as questions of users do."""
    questions = [question for pair in (*PARAPHRASES, *LOOK_ALIKES) for question in pair]
    questions += [f"Which colour has the {what} door of the {where}?" for what, where in DOORS]
    return [example(number, question) for number, question in enumerate(questions)]


DOORS = [
    (what, where)
    for what in ("oak", "steel", "garden", "cellar", "attic", "stable")
    for where in ("mill", "school", "chapel", "library", "harbour", "forge")
]


def pairs():
    """Two pairs of different answers to one prompt, and one whose prompt is a paraphrase."""
    first, other = PARAPHRASES[0]
    rows = [
        (first, "It is sixteen weeks in total.", "Nobody knows."),
        (first, "Parents get leave of four months or so.", "Ask your boss."),
        (other, "It is sixteen weeks in total.", "Nobody knows."),
        *((f"Which colour has the {a} door of the {b}?", f"{a} {b}", "none") for a, b in DOORS),
    ]
    return [
        PreferencePair(
            id=f"p{number:03}", prompt=user(prompt), chosen=assistant(good), rejected=assistant(bad)
        )
        for number, (prompt, good, bad) in enumerate(rows)
    ]
