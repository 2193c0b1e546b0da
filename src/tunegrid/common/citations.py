"""Sources in the literature, and the type of an equation that the report prints with them.

Each equation is in the module that computes it: methods, metrics, statistics. The report prints the equations of what
the study uses, and lists their sources.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A source in the literature; `short` is its name in a sentence ("Hu et al. 2021")."""

    short: str
    text: str


@dataclass(frozen=True)
class Formula:
    """An equation with its explanation.

    Attributes:
        title: what the equation computes.
        latex: the equation, in the syntax that LaTeX and matplotlib's mathtext share; "": words are enough.
        spoken: the equation as it is read aloud, for readers who do not see it.
        text: the meaning of the symbols, and the use of the equation.
    """

    title: str
    latex: str
    spoken: str
    text: str
    sources: tuple[Reference, ...] = ()


# Methods
HU_2021 = Reference("Hu et al. 2021", "LoRA: Low-Rank Adaptation of Large Language Models. arXiv 2106.09685.")
HOULSBY_2019 = Reference("Houlsby et al. 2019", "Parameter-Efficient Transfer Learning for NLP. arXiv 1902.00751.")
ZAKEN_2021 = Reference(
    "Ben Zaken et al. 2021",
    "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models. arXiv 2106.10199.",
)
LI_2021 = Reference(
    "Li and Liang 2021", "Prefix-Tuning: Optimizing Continuous Prompts for Generation. arXiv 2101.00190."
)
DETTMERS_2023 = Reference("Dettmers et al. 2023", "QLoRA: Efficient Finetuning of Quantized LLMs. arXiv 2305.14314.")
LESTER_2021 = Reference(
    "Lester et al. 2021", "The Power of Scale for Parameter-Efficient Prompt Tuning. arXiv 2104.08691."
)
RAFFEL_2020 = Reference(
    "Raffel et al. 2020",
    "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer. arXiv 1910.10683.",
)
ZIEGLER_2019 = Reference("Ziegler et al. 2019", "Fine-Tuning Language Models from Human Preferences. arXiv 1909.08593.")
STIENNON_2020 = Reference("Stiennon et al. 2020", "Learning to Summarize from Human Feedback. arXiv 2009.01325.")
OUYANG_2022 = Reference(
    "Ouyang et al. 2022", "Training Language Models to Follow Instructions with Human Feedback. arXiv 2203.02155."
)
SCHULMAN_2017 = Reference("Schulman et al. 2017", "Proximal Policy Optimization Algorithms. arXiv 1707.06347.")
RAFAILOV_2023 = Reference(
    "Rafailov et al. 2023",
    "Direct Preference Optimization: Your Language Model is Secretly a Reward Model. arXiv 2305.18290.",
)
PANG_2024 = Reference("Pang et al. 2024", "Iterative Reasoning Preference Optimization. arXiv 2404.19733.")
# Metrics
RAJPURKAR_2016 = Reference(
    "Rajpurkar et al. 2016", "SQuAD: 100,000+ Questions for Machine Comprehension of Text. arXiv 1606.05250."
)
PAPINENI_2002 = Reference(
    "Papineni et al. 2002", "BLEU: a Method for Automatic Evaluation of Machine Translation. Proceedings of ACL."
)
POST_2018 = Reference("Post 2018", "A Call for Clarity in Reporting BLEU Scores. Proceedings of WMT. arXiv 1804.08771.")
POPOVIC_2015 = Reference(
    "Popović 2015", "chrF: character n-gram F-score for automatic MT evaluation. Proceedings of WMT."
)
LIN_2004 = Reference(
    "Lin 2004", "ROUGE: A Package for Automatic Evaluation of Summaries. Proceedings of the ACL workshop."
)
TJONG_2003 = Reference(
    "Tjong Kim Sang and De Meulder 2003",
    "Introduction to the CoNLL-2003 Shared Task: Language-Independent Named Entity Recognition. Proceedings of CoNLL.",
)
GORODKIN_2004 = Reference(
    "Gorodkin 2004",
    "Comparing Two K-category Assignments by a K-category Correlation Coefficient. Computational Biology and "
    "Chemistry 28.",
)
# Statistics
KOEHN_2004 = Reference(
    "Koehn 2004", "Statistical Significance Tests for Machine Translation Evaluation. Proceedings of EMNLP."
)
HOLM_1979 = Reference(
    "Holm 1979", "A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian Journal of Statistics 6."
)
SMYTH_2004 = Reference(
    "Smyth 2004",
    "Linear Models and Empirical Bayes Methods for Assessing Differential Expression in Microarray Experiments. "
    "Statistical Applications in Genetics and Molecular Biology 3.",
)
PHIPSON_2016 = Reference(
    "Phipson et al. 2016",
    "Robust Hyperparameter Estimation Protects Against Hypervariable Genes and Improves Power to Detect Differential "
    "Expression. Annals of Applied Statistics 10.",
)
BROWN_2001 = Reference("Brown et al. 2001", "Interval Estimation for a Binomial Proportion. Statistical Science 16.")
NEWCOMBE_1998 = Reference(
    "Newcombe 1998",
    "Improved Confidence Intervals for the Difference between Binomial Proportions Based on Paired Data. Statistics in "
    "Medicine 17.",
)
CARTER_2017 = Reference(
    "Carter et al. 2017",
    "Asymptotic Behavior of a t-Test Robust to Cluster Heterogeneity. Review of Economics and Statistics 99.",
)
WEERAHANDI_1993 = Reference(
    "Weerahandi 1993", "Generalized Confidence Intervals. Journal of the American Statistical Association 88."
)
BLOOM_1995 = Reference(
    "Bloom 1995",
    "Minimum Detectable Effects: A Simple Way to Report the Statistical Power of Experimental Designs. Evaluation "
    "Review 19.",
)
CARD_2020 = Reference(
    "Card et al. 2020", "With Little Power Comes Great Responsibility. Proceedings of EMNLP. arXiv 2010.06595."
)
AGARWAL_2021 = Reference(
    "Agarwal et al. 2021",
    "Deep Reinforcement Learning at the Edge of the Statistical Precipice. Advances in Neural Information Processing "
    "Systems 34. arXiv 2108.13264.",
)
KENDALL_1938 = Reference("Kendall 1938", "A New Measure of Rank Correlation. Biometrika 30.")
BELANEC_2025 = Reference("Belanec et al. 2025", "PEFT-Bench. arXiv 2511.21285.")
