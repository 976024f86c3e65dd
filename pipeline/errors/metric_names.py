"""Finds the metric that is meant by a name of another library, by a short one or a mistyped one."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from pipeline.errors.suggest import nearest_names
from pipeline.errors.wording import first_names

_MOST = 3
_MOST_LISTED = 100

# By the name here, other names of the same quantity: letters and digits alone, in lower case. Of
# several names here for one word, those that a head has are suggested in the order of this table.
_ALIASES = {
    "roc_auc": "auroc aucroc roc rocarea areaunderroc areaunderroccurve areaunderthecurve"
    " cstatistic concordance",
    "roc_auc/macro": "rocaucovr",
    "average_precision": "ap averageprecisionscore prauc aucpr auprc avgprecision",
    "auc": "areaundercurve estimatorauc",
    "auc_precision_recall": "prauc aucpr auprc aucprecisionrecall",
    "average_loss": "loss meanloss logloss binarylogloss multilogloss mlogloss logarithmicloss"
    " crossentropy binarycrossentropy categoricalcrossentropy sparsecategoricalcrossentropy bce nll"
    " negloglikelihood negativeloglikelihood",
    "normalised_entropy": "ne normalizedentropy normalizedcrossentropy",
    "accuracy": "acc binaryaccuracy categoricalaccuracy sparsecategoricalaccuracy"
    " multiclassaccuracy",
    "balanced_accuracy": "ba bacc balancedacc",
    "precision": "ppv positivepredictivevalue",
    "recall": "tpr truepositiverate sensitivity hitrate",
    "specificity": "tnr truenegativerate selectivity",
    "false_positive_rate": "fpr fallout",
    "false_negative_rate": "fnr missrate",
    "false_discovery_rate": "fdr",
    "false_omission_rate": "for",
    "negative_predictive_value": "npv",
    "true_positives": "tp truepositive",
    "true_negatives": "tn truenegative",
    "false_positives": "fp falsepositive",
    "false_negatives": "fn falsenegative",
    "f1": "fscore fmeasure f1measure dice dicecoefficient sorensendice",
    "threat_score": "ts csi jaccard jaccardindex jaccardsimilarity iou criticalsuccessindex",
    "matthews_correlation": "mcc phi phicoefficient matthewscorrcoef"
    " matthewscorrelationcoefficient",
    "cohen_kappa": "kappa cohenskappa",
    "cohen_kappa/quadratic": "qwk quadratickappa quadraticweightedkappa weightedkappa",
    "cohen_kappa/linear": "lwk linearkappa linearweightedkappa",
    "fowlkes_mallows_index": "fm fmi fowlkesmallows",
    "informedness": "bm bookmakerinformedness youden youdenj youdensj youdenindex",
    "markedness": "mk deltap",
    "diagnostic_odds_ratio": "dor",
    "positive_likelihood_ratio": "plr lrplus",
    "negative_likelihood_ratio": "nlr lrminus",
    "kolmogorov_smirnov": "ks ksstatistic kstest kolmogorovsmirnovstatistic",
    "brier_score": "brier brierloss brierscoreloss mse meansquarederror l2",
    "mean_absolute_error": "mae l1",
    "expected_calibration_error": "ece",
    "max_calibration_error": "mce maximumcalibrationerror",
    "calibration_ratio": "calibration",
    "mse": "meansquarederror l2 squarederror",
    "rmse": "rootmeansquarederror rmsd",
    "mae": "meanabsoluteerror l1 absoluteerror",
    "mape": "meanabsolutepercentageerror",
    "median_absolute_error": "medae",
    "bias": "meanerror me meanbiaserror",
    "r2": "rsquared coefficientofdetermination",
    "squared_correlation": "rsquared",
    "pearson": "pearsonr pearsoncorrelation correlation corr",
    "poisson_deviance": "meanpoissondeviance",
    "exact_match": "exactmatchratio subsetaccuracy emr",
    "hamming_loss": "hamming",
    "label/mean": "meanlabel labelmean averagelabel baserate positiverate",
    "prediction/mean": "meanprediction predictionmean averageprediction",
    "prevalence": "baserate positiverate",
    "weight": "totalweight weightedexamplecount sumofweights",
    "flip_rate": "churn disagreement",
}
_BY_ALIAS: dict[str, list[str]] = {}
for _metric, _words in _ALIASES.items():
    for _word in _words.split():
        _BY_ALIAS.setdefault(_word, []).append(_metric)

_AVERAGES = ("macro", "weighted")
# Ends of names that a head has once a key of its configuration asks for them, and the key.
_CONFIGURED = (
    (re.compile(r"/positive_logit_threshold_([-+.e\d]+)"), "logit_thresholds", "[{}]"),
    (re.compile(r"/positive_threshold_([-.e\d]+)"), "thresholds", "[{}]"),
    (re.compile(r"_at_([a-z]+(?:_[a-z]+)*)_([.\d]+)"), "at", "{{{}: [{}]}}"),
    (re.compile(r"/top_(\d+)"), "top_k", "[{}]"),
    (re.compile(r"^error_quantile_([.\d]+)"), "error_quantiles", "[{}]"),
    (re.compile(r"^pinball_loss_([.\d]+)"), "pinball_quantiles", "[{}]"),
)


def near_metrics(name: str, known: Collection[str]) -> list[str]:
    """Returns the metrics that a name may stand for, the likeliest first, at most three.

    They are those of which it is another name, in this or in another library, whether words are
    joined by `_`, `-`, a space or a capital letter; else those with the nearest names.

    Args:
        name: the name.
        known: the names of the metrics that there are.

    >>> near_metrics("AUROC", ["auc", "roc_auc"]), near_metrics("f1_macro", ["f1/macro", "mae"])
    (['roc_auc'], ['f1/macro'])
    """
    plain = _letters(name)
    by_letters: dict[str, list[str]] = {}
    for metric in sorted(known):
        by_letters.setdefault(_letters(metric), []).append(metric)
    for word in _readings(plain):
        found = [*by_letters.get(word, ()), *_present(_BY_ALIAS.get(word, ()), known)]
        if found:
            return list(dict.fromkeys(found))[:_MOST]
    for average in _AVERAGES:
        if average in plain:
            rest = _readings(plain.replace(average, ""))
            roots = [m for m in known if m.endswith(f"/{average}") and _is_any(m, rest)]
            if roots:
                return sorted(roots)[:_MOST]
    return nearest_names(name, known, _MOST)


def metric_hint(
    name: str, known: Collection[str], has: str = "there are", keys: Collection[str] = ()
) -> str:
    """Returns the end of a message about a metric that does not exist.

    Args:
        name: the name that was given.
        known: the names of the metrics that there are.
        has: what stands before the list of all names, if none of them is near.
        keys: the keys of the head in the configuration; if one of them asks for the metric, the
            message says so.

    >>> metric_hint("sensitivity", ["recall", "specificity"])
    "; did you mean 'recall'?"
    """
    roots = {metric.partition("/")[0] for metric in known}
    for pattern, key, value in _CONFIGURED:
        found = pattern.search(name)
        if (
            found
            and key in keys
            and not any(found[0] in metric for metric in known)
            and (not found[0].startswith("/") or name.partition("/")[0] in roots)
        ):
            return f"; write {key}: {value.format(*found.groups())} to have it"
    near = near_metrics(name, known)
    listed = first_names(sorted(known), _MOST_LISTED)
    return f"; did you mean {either(near)}?" if near else f"; {has}: {listed}"


def either(names: Sequence[str]) -> str:
    """Returns quoted names joined by `or`.

    >>> either(["a", "b", "c"])
    "'a', 'b' or 'c'"
    """
    *others, last = [repr(name) for name in names]
    return f"{', '.join(others)} or {last}" if others else last


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _readings(word: str) -> list[str]:
    """Returns a word, and what is left of it without the ends that libraries give their names."""
    short = word.removeprefix("neg").removesuffix("score").removesuffix("metric")
    return [word, word.removesuffix("score"), short]


def _is_any(metric: str, words: Sequence[str]) -> bool:
    """Returns whether a metric, without its ending, goes by any of some names."""
    root = metric.partition("/")[0]
    return any(_letters(root) == word or root in _BY_ALIAS.get(word, ()) for word in words)


def _present(metrics: Sequence[str], known: Collection[str]) -> list[str]:
    """Returns those of some metrics that there are, and then their means over classes."""
    averages = [f"{metric}/{average}" for metric in metrics for average in _AVERAGES]
    return [metric for metric in (*metrics, *averages) if metric in known]
