"""Vocabularies: the words of classes, and the class ids of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heads.arrays import Array

Vocabulary = Sequence[str | bytes]

# The name that tf.estimator predicts for a class that a too short vocabulary does not name.
UNKNOWN = "UNK"


def check_vocabulary_words(vocabulary: Vocabulary) -> None:
    """Checks that a vocabulary holds words.

    Raises:
        TypeError: if an item is neither str nor bytes.
    """
    for word in vocabulary:
        if not isinstance(word, str | bytes):
            raise TypeError(
                f"label_vocabulary must hold strings. Given: {word!r}. Leave it None for labels "
                "that are class ids."
            )


def class_names(vocabulary: Vocabulary | None, n_classes: int) -> tuple[str, ...]:
    """Returns the words of a vocabulary, or `n_classes` class ids as text if it is None.

    >>> class_names(None, 3), class_names(["no", b"yes"], 2)
    (('0', '1', '2'), ('no', 'yes'))
    """
    if vocabulary is None:
        return tuple(map(str, range(n_classes)))
    return tuple(w.decode() if isinstance(w, bytes) else w for w in vocabulary)


def are_words(array: Array) -> bool:
    """Returns whether an array holds words, str or bytes."""
    if array.dtype.kind == "O":
        return all(isinstance(word, str | bytes) for word in array.flat)
    return array.dtype.kind in "UST"


def word_ids(words: Array, vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
    """Returns the position of each word in the vocabulary, -1 if unknown; case matters.

    Raises:
        TypeError: if the array holds no words.
        ValueError: if words of the vocabulary repeat.
    """
    if not are_words(words):
        raise TypeError(
            f"Labels must be strings if there is a vocabulary. Instead got {words.dtype}. Leave "
            "label_vocabulary None for labels that are numbers."
        )
    names = class_names(vocabulary, len(vocabulary))
    if len(set(names)) < len(names):
        raise ValueError(
            f"label_vocabulary has words that repeat: {list(names)}. Give each class a word of its"
            " own."
        )
    ids: dict[str | bytes, int] = {name: i for i, name in enumerate(names)}
    ids.update({name.encode(): i for i, name in enumerate(names)})
    found = [ids.get(word, -1) for word in words.ravel().tolist()]
    return np.array(found, np.int64).reshape(words.shape)
