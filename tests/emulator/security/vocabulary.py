# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enumerations of the Graph security API and the spellings the Defender API uses for the same members.

Graph's members, in the order of its metadata: what comes after ``unknownFutureValue`` is shown only to a caller that sends
``Prefer: include-unknown-enum-members``. The neutral records of this package use Graph's spelling throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FUTURE: Final = "unknownFutureValue"

CLASSIFICATIONS: Final = ("unknown", "falsePositive", "truePositive", "informationalExpectedActivity", FUTURE)
DETERMINATIONS: Final = (
    "unknown",
    "apt",
    "malware",
    "securityPersonnel",
    "securityTesting",
    "unwantedSoftware",
    "other",
    "multiStagedAttack",
    "compromisedAccount",
    "phishing",
    "maliciousUserActivity",
    "notMalicious",
    "notEnoughDataToValidate",
    "confirmedActivity",
    "lineOfBusinessApplication",
    FUTURE,
)
SEVERITIES: Final = ("unknown", "informational", "low", "medium", "high", FUTURE)
INCIDENT_STATUSES: Final = ("active", "resolved", "inProgress", "redirected", FUTURE, "awaitingAction")
ALERT_STATUSES: Final = ("unknown", "new", "inProgress", "resolved", FUTURE)
SERVICE_SOURCES: Final = (
    "unknown",
    "microsoftDefenderForEndpoint",
    "microsoftDefenderForIdentity",
    "microsoftDefenderForCloudApps",
    "microsoftDefenderForOffice365",
    "microsoft365Defender",
    "azureAdIdentityProtection",
    "microsoftAppGovernance",
    "dataLossPrevention",
    FUTURE,
    "microsoftDefenderForCloud",
    "microsoftSentinel",
    "microsoftInsiderRiskManagement",
    "microsoftThreatIntelligence",
    "microsoftSecurityForAI",
)
DETECTION_SOURCES: Final = (
    "unknown",
    "microsoftDefenderForEndpoint",
    "antivirus",
    "smartScreen",
    "customTi",
    "microsoftDefenderForOffice365",
    "automatedInvestigation",
    "microsoftThreatExperts",
    "customDetection",
    "microsoftDefenderForIdentity",
    "cloudAppSecurity",
    "microsoft365Defender",
    "azureAdIdentityProtection",
    "manual",
    "microsoftDataLossPrevention",
    "appGovernancePolicy",
    "appGovernanceDetection",
    FUTURE,
    "microsoftDefenderForCloud",
    "microsoftDefenderForIoT",
    "microsoftDefenderForServers",
    "microsoftDefenderForStorage",
    "microsoftDefenderForDNS",
    "microsoftDefenderForDatabases",
    "microsoftDefenderForContainers",
    "microsoftDefenderForNetwork",
    "microsoftDefenderForAppService",
    "microsoftDefenderForKeyVault",
    "microsoftDefenderForResourceManager",
    "microsoftDefenderForApiManagement",
    "nrtAlerts",
    "scheduledAlerts",
    "microsoftDefenderThreatIntelligenceAnalytics",
    "builtInMl",
    "microsoftInsiderRiskManagement",
    "microsoftThreatIntelligence",
    "microsoftDefenderForAIServices",
    "securityCopilot",
    "microsoftSentinel",
)
INVESTIGATION_STATES: Final = (
    "unknown",
    "terminated",
    "successfullyRemediated",
    "benign",
    "failed",
    "partiallyRemediated",
    "running",
    "pendingApproval",
    "pendingResource",
    "queued",
    "innerFailure",
    "preexistingAlert",
    "unsupportedOs",
    "unsupportedAlertType",
    "suppressedAlert",
    "partiallyInvestigated",
    "terminatedByUser",
    "terminatedBySystem",
    FUTURE,
)
VERDICTS: Final = ("unknown", "suspicious", "malicious", "noThreatsFound", FUTURE)
REMEDIATIONS: Final = (
    "none",
    "remediated",
    "prevented",
    "blocked",
    "notFound",
    FUTURE,
    "active",
    "pendingApproval",
    "declined",
    "unremediated",
    "running",
    "partiallyRemediated",
)
ROLES: Final = (
    "unknown",
    "contextual",
    "scanned",
    "source",
    "destination",
    "created",
    "added",
    "compromised",
    "edited",
    "attacked",
    "attacker",
    "commandAndControl",
    "loaded",
    "suspicious",
    "policyViolator",
    FUTURE,
)
HEALTH_STATUSES: Final = (
    "active",
    "inactive",
    "impairedCommunication",
    "noSensorData",
    "noSensorDataImpairedCommunication",
    "unknown",
    FUTURE,
)
RISK_SCORES: Final = ("none", "informational", "low", "medium", "high", FUTURE)
ONBOARDING_STATUSES: Final = ("insufficientInfo", "onboarded", "canBeOnboarded", "unsupported", FUTURE)
AV_STATUSES: Final = ("notReporting", "disabled", "notUpdated", "updated", "unknown", "notSupported", FUTURE)
DETECTION_STATUSES: Final = ("detected", "blocked", "prevented", FUTURE)
CORRELATION_REASONS: Final = (
    "repeatedAlertOccurrence",
    "sameGeography",
    "similarArtifacts",
    "sameTargetedAsset",
    "sameNetworkSegment",
    "eventSequence",
    "timeFrame",
    "sameThreatSource",
    "similarTTPsOrBehavior",
    "sameActor",
    "sameCampaign",
    "sharedIndicators",
    "sameAsset",
    "networkProximity",
    "eventCasualSequence",
    "temporalProximity",
    "lateralMovementPath",
)

# Which determination a classification allows; the pairs of the Defender API's update page in Graph's spelling.
DETERMINATIONS_BY_CLASSIFICATION: Final[Mapping[str, frozenset[str]]] = {
    "truePositive": frozenset(
        {"multiStagedAttack", "maliciousUserActivity", "compromisedAccount", "malware", "phishing", "unwantedSoftware", "other"}
    ),
    "informationalExpectedActivity": frozenset({"securityTesting", "lineOfBusinessApplication", "confirmedActivity", "other"}),
    "falsePositive": frozenset({"notMalicious", "notEnoughDataToValidate", "other"}),
    "unknown": frozenset(),
}

_DEFENDER_DETERMINATIONS: Final = {"unknown": "NotAvailable", "notMalicious": "Clean", "notEnoughDataToValidate": "NoEnoughDataToValidate"}
_RESOURCE_PAGE_DETERMINATIONS: Final = {
    "unknown": "NotAvailable",
    "notMalicious": "Clean",
    "notEnoughDataToValidate": "InsufficientData",
    "compromisedAccount": "CompromisedUser",
    "confirmedActivity": "ConfirmedUserActivity",
}
_DETERMINATION_SYNONYMS: Final = {
    "NotAvailable": "unknown",
    "Unknown": "unknown",
    "Clean": "notMalicious",
    "NotMalicious": "notMalicious",
    "NoEnoughDataToValidate": "notEnoughDataToValidate",
    "InsufficientData": "notEnoughDataToValidate",
    "CompromisedUser": "compromisedAccount",
    "CompromisedAccount": "compromisedAccount",
    "ConfirmedUserActivity": "confirmedActivity",
    "ConfirmedActivity": "confirmedActivity",
}
# Old and present name of a product; both occur in answers of the real service.
_DEFENDER_SERVICE_SOURCES: Final = {
    "microsoftDefenderForEndpoint": ("MicrosoftDefenderATP", "MicrosoftDefenderForEndpoint"),
    "microsoftDefenderForIdentity": ("AzureATP", "MicrosoftDefenderForIdentity"),
    "microsoftDefenderForCloudApps": ("MicrosoftCloudAppSecurity", "MicrosoftCloudAppSecurity"),
    "microsoftDefenderForOffice365": ("OfficeATP", "MicrosoftDefenderForOffice365"),
    "azureAdIdentityProtection": ("AAD Identity Protection", "AAD Identity Protection"),
}
_DEFENDER_DETECTION_SOURCES: Final = {
    "cloudAppSecurity": "MCAS",
    "antivirus": "WindowsDefenderAv",
    "microsoftDefenderForEndpoint": "WindowsDefenderAtp",
    "microsoftDefenderForOffice365": "OfficeATP",
}


def pascal(member: str) -> str:
    """Return the member with its first letter in upper case, the Defender API's way of writing most of them."""
    return member[:1].upper() + member[1:]


def _camel(member: str) -> str:
    return member[:1].lower() + member[1:]


def hidden_members(members: tuple[str, ...]) -> frozenset[str]:
    """Return the members that a caller without the ``Prefer`` header sees as ``unknownFutureValue``."""
    return frozenset(members[members.index(FUTURE) + 1 :])


def defender_severity(member: str) -> str:
    """Return the Defender API's severity; ``unknown`` is written ``UnSpecified`` there, with that capital S."""
    return "UnSpecified" if member == "unknown" else pascal(member)


def defender_determination(member: str, *, resource_page: bool = False) -> str:
    """Return the Defender API's determination, as its update page spells it or as its resource page does."""
    return (_RESOURCE_PAGE_DETERMINATIONS if resource_page else _DEFENDER_DETERMINATIONS).get(member) or pascal(member)


def determination_from_defender(value: str) -> str:
    """Return the neutral determination of any spelling the Defender API accepts; unknown text comes back with a small first letter."""
    return _DETERMINATION_SYNONYMS.get(value) or _camel(value)


def defender_service_source(member: str, *, old_name: bool) -> str:
    """Return the Defender API's free-text product name, the old one or the present one."""
    names = _DEFENDER_SERVICE_SOURCES.get(member)
    return pascal(member) if names is None else names[0 if old_name else 1]


def defender_detection_source(member: str) -> str:
    """Return the Defender API's name of a detection source."""
    return _DEFENDER_DETECTION_SOURCES.get(member) or pascal(member)


INCIDENT_STATUS_FROM_DEFENDER: Final = {"Active": "active", "InProgress": "inProgress", "Resolved": "resolved", "Redirected": "redirected"}
CLASSIFICATION_FROM_DEFENDER: Final = {pascal(member): member for member in CLASSIFICATIONS if member != FUTURE}
