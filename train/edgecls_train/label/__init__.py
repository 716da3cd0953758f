"""Labels for unlabelled pictures: proposed by a model, reviewed by a person, then applied."""

from edgecls_train.label.apply import Applied, Undone, apply_proposals, undo_proposals
from edgecls_train.label.place import PROPOSALS, ProposalFolder, find_latest_proposals
from edgecls_train.label.propose import Guess, Proposals, propose_labels

__all__ = [
    "PROPOSALS",
    "Applied",
    "Guess",
    "ProposalFolder",
    "Proposals",
    "Undone",
    "apply_proposals",
    "find_latest_proposals",
    "propose_labels",
    "undo_proposals",
]
