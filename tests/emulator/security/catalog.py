# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generated incidents tell: stories of alerts as the products of Microsoft Defender report them.

Together the stories name every service source, every detection source and every kind of evidence of ``vocabulary``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MDE: Final = ("microsoftDefenderForEndpoint", "Microsoft Defender for Endpoint", "da")
_MDI: Final = ("microsoftDefenderForIdentity", "Microsoft Defender for Identity", "aa")
_MDA: Final = ("microsoftDefenderForCloudApps", "Microsoft Defender for Cloud Apps", "ca")
_MDO: Final = ("microsoftDefenderForOffice365", "Microsoft Defender for Office 365", "fa")
_XDR: Final = ("microsoft365Defender", "Microsoft Defender XDR", "ra")
_AAD: Final = ("azureAdIdentityProtection", "AAD Identity Protection", "ad")
_APP: Final = ("microsoftAppGovernance", "Microsoft App Governance", "ma")
_DLP: Final = ("dataLossPrevention", "Microsoft Data Loss Prevention", "dl")
_MDC: Final = ("microsoftDefenderForCloud", "Microsoft Defender for Cloud", "dc")
_SEN: Final = ("microsoftSentinel", "Microsoft Sentinel", "sn")
_IRM: Final = ("microsoftInsiderRiskManagement", "Microsoft Purview Insider Risk Management", "ir")
_MTI: Final = ("microsoftThreatIntelligence", "Microsoft Threat Intelligence", "ti")
_SAI: Final = ("microsoftSecurityForAI", "Microsoft Defender for AI Services", "ai")
_UNK: Final = ("unknown", "Third-party product", "un")


@dataclass(frozen=True, slots=True)
class AlertTemplate:
    """One alert of a story; of ``detections`` the generator takes one per alert."""

    title: str
    category: str
    product: tuple[str, str, str]
    detections: tuple[str, ...]
    techniques: tuple[str, ...]
    evidence: tuple[str, ...]
    description: str
    threat: tuple[str, str] | None = None
    actor: str | None = None

    @property
    def service_source(self) -> str:
        """Graph's member of serviceSource."""
        return self.product[0]

    @property
    def product_name(self) -> str:
        """Graph's productName."""
        return self.product[1]

    @property
    def prefix(self) -> str:
        """The first letters of the alert id, which differ by product."""
        return self.product[2]


@dataclass(frozen=True, slots=True)
class Story:
    """An incident's title and the alerts it may consist of."""

    title: str
    alerts: tuple[AlertTemplate, ...]


A = AlertTemplate
STORIES: Final[tuple[Story, ...]] = (
    Story(
        "Multi-stage incident involving Execution & Lateral movement on multiple endpoints",
        (
            A("Suspicious PowerShell command line", "Execution", _MDE, ("microsoftDefenderForEndpoint", "microsoftThreatExperts"),
              ("T1059.001",), ("device", "user", "process", "file"), "A suspicious PowerShell activity was observed on the machine."),
            A("Possible lateral movement using WMI", "LateralMovement", _MDE, ("microsoftDefenderForEndpoint", "customTi"),
              ("T1047", "T1021"), ("device", "user", "process", "ip"), "A process was started remotely through WMI."),
        ),
    ),
    Story(
        "Email messages containing malicious URL removed after delivery involving multiple users",
        (
            A("Email messages containing malicious URL removed after delivery", "InitialAccess", _MDO,
              ("microsoftDefenderForOffice365", "automatedInvestigation"), ("T1566.002",),
              ("mailbox", "analyzedMessage", "mailCluster", "url"),
              "Messages with a malicious URL were delivered and later removed."),
            A("User reported message as phishing", "InitialAccess", _MDO, ("microsoftDefenderForOffice365", "manual"),
              ("T1566",), ("user", "mailbox", "analyzedMessage"), "A user reported a message as phishing."),
        ),
    ),
    Story(
        "Unfamiliar sign-in properties involving one user",
        (
            A("Unfamiliar sign-in properties", "InitialAccess", _AAD, ("azureAdIdentityProtection",), ("T1078.004",), ("user", "ip"),
              "The sign-in has properties that were not seen recently for this user."),
            A("Atypical travel", "InitialAccess", _AAD, ("azureAdIdentityProtection", "builtInMl"), ("T1078",), ("user", "ip"),
              "Sign-ins from two distant places within a time too short for the journey."),
        ),
    ),
    Story(
        "Suspected DCSync attack (replication of directory services) involving one user",
        (
            A("Suspected DCSync attack (replication of directory services)", "CredentialAccess", _MDI, ("microsoftDefenderForIdentity",),
              ("T1003.006",), ("device", "user", "securityGroup"), "Replication requests came from a machine that is no domain controller.",
              None, "Storm-0501"),
            A("Suspected brute-force attack (Kerberos, NTLM)", "CredentialAccess", _MDI, ("microsoftDefenderForIdentity",),
              ("T1110",), ("device", "user", "ip"), "Many failed authentications and one success."),
        ),
    ),
    Story(
        "Suspicious OAuth app with high-privilege permissions in a cloud app",
        (
            A("App with suspicious OAuth scope made graph calls to read email", "Collection", _APP,
              ("appGovernanceDetection", "appGovernancePolicy"), ("T1114", "T1528"), ("oauthApplication", "user"),
              "An app that was recently consented to read mail through Graph."),
            A("Increase in data usage by an overprivileged app", "Exfiltration", _APP, ("appGovernancePolicy", "appGovernanceDetection"),
              ("T1567",), ("oauthApplication",), "The app's data usage exceeds its usual volume."),
        ),
    ),
    Story(
        "Mass download by one user in a cloud application",
        (
            A("Mass download", "Exfiltration", _MDA, ("cloudAppSecurity",), ("T1530",), ("user", "ip", "cloudApplication"),
              "An unusual number of files was downloaded in a short time."),
            A("Impossible travel activity", "InitialAccess", _MDA, ("cloudAppSecurity",), ("T1078",), ("user", "ip", "cloudApplication"),
              "Activities from two countries within a time shorter than the journey."),
        ),
    ),
    Story(
        "'Wacatac' malware was prevented on one endpoint",
        (
            A("'Wacatac' malware was prevented", "Malware", _MDE, ("antivirus", "smartScreen"), ("T1204",), ("device", "user", "file"),
              "Malware was found and stopped before it ran.", ("Trojan:Win32/Wacatac.B!ml", "Wacatac")),
            A("An active 'Qakbot' malware process was detected while executing", "Malware", _MDE, ("antivirus",), ("T1055",),
              ("device", "user", "process", "file"), "Malware was running when it was found.", ("Trojan:Win32/Qakbot.GM", "Qakbot")),
        ),
    ),
    Story(
        "DLP policy matched for email with subject in Exchange involving one user",
        (
            A("DLP policy (Financial data) matched for email", "Exfiltration", _DLP, ("microsoftDataLossPrevention",), ("T1048",),
              ("user", "analyzedMessage", "mailbox"), "A message with sensitive data left the organisation."),
            A("DLP policy (Personal data) matched for document", "Exfiltration", _DLP, ("microsoftDataLossPrevention",), ("T1567.002",),
              ("user", "file"), "A document with sensitive data was shared."),
        ),
    ),
    Story(
        "Ransomware activity including data encryption on multiple endpoints (attack disruption)",
        (
            A("Ransomware behavior detected in the file system", "Ransomware", _XDR, ("microsoft365Defender",), ("T1486",),
              ("device", "user", "file", "process"), "Files are being encrypted in rapid succession.",
              ("Ransom:Win32/LockBit.A", "LockBit"), "Storm-0506"),
            A("File backups were deleted", "Impact", _XDR, ("microsoft365Defender", "customDetection"), ("T1490",),
              ("device", "process"), "Shadow copies were deleted."),
        ),
    ),
    Story(
        "Anomalous access to a storage account in Azure",
        (
            A("Access from a suspicious IP to a storage blob container", "InitialAccess", _MDC,
              ("microsoftDefenderForStorage", "microsoftDefenderForCloud", "microsoftDefenderForResourceManager"), ("T1530",),
              ("ip", "cloudApplication"), "A storage container was read from an address with a bad reputation."),
            A("Suspicious process executed on a virtual machine", "Execution", _MDC,
              ("microsoftDefenderForServers", "microsoftDefenderForContainers", "microsoftDefenderForIoT"), ("T1059",),
              ("device", "process"), "A process that belongs to a known attack tool ran on the machine."),
        ),
    ),
    Story(
        "Sentinel analytics: sign-ins from addresses on a watchlist",
        (
            A("Sign-in from an address on the watchlist", "InitialAccess", _SEN, ("scheduledAlerts", "nrtAlerts", "microsoftSentinel"),
              ("T1078",), ("user", "ip"), "An analytics rule matched."),
            A("Rare application consent", "Persistence", _SEN, ("scheduledAlerts", "securityCopilot"), ("T1136",),
              ("user", "oauthApplication"), "An analytics rule matched."),
        ),
    ),
    Story(
        "Persistence through registry run keys on one endpoint",
        (
            A("Suspicious registry modification", "Persistence", _MDE, ("customDetection", "microsoftDefenderForEndpoint"), ("T1547.001",),
              ("device", "user", "registryKey", "registryValue"), "A value was added under a run key."),
            A("Anomaly detected in ASEP registry", "Persistence", _MDE, ("microsoftDefenderForEndpoint",), ("T1547",),
              ("device", "registryValue", "file"), "An unusual start entry was written."),
        ),
    ),
    Story(
        "Data theft by a departing user (insider risk)",
        (
            A("Data theft by departing users", "Exfiltration", _IRM, ("microsoftInsiderRiskManagement",), ("T1052",), ("user", "file"),
              "Exfiltration activity of a user whose departure is near."),
            A("Risky use of removable media", "Exfiltration", _IRM, ("microsoftInsiderRiskManagement",), ("T1025",),
              ("device", "user", "file"),
              "Many files were copied to removable media."),
        ),
    ),
    Story(
        "Connection to an adversary's infrastructure from one endpoint",
        (
            A("Communication with infrastructure of a known actor", "CommandAndControl", _MTI,
              ("microsoftDefenderThreatIntelligenceAnalytics", "microsoftThreatIntelligence"), ("T1071",), ("device", "ip", "url"),
              "The device reached an address that Microsoft attributes to an actor.", None, "Midnight Blizzard"),
            A("Indicator of a known campaign observed", "CommandAndControl", _MTI, ("microsoftThreatIntelligence", "customTi"),
              ("T1583",), ("url", "file"), "An indicator of a campaign matched.", None, "Forest Blizzard"),
        ),
    ),
    Story(
        "Jailbreak attempt on a model deployment",
        (
            A("A jailbreak attempt on your model deployment was blocked", "Execution", _SAI, ("microsoftDefenderForAIServices",),
              ("T1059",),
              ("user", "ip", "cloudApplication"), "Prompt shields blocked an attempt."),
            A("Credentials were found in a model's answer", "CredentialAccess", _SAI, ("microsoftDefenderForAIServices",), ("T1552",),
              ("user", "cloudApplication"), "The answer contained text that looks like a credential."),
        ),
    ),
    Story(
        "Suspicious database and key vault access",
        (
            A("Unusual access to a key vault", "CredentialAccess", _MDC,
              ("microsoftDefenderForKeyVault", "microsoftDefenderForApiManagement", "microsoftDefenderForAppService"), ("T1555",),
              ("user", "ip"), "An identity listed secrets that it had not read before."),
            A("Potential SQL injection", "InitialAccess", _MDC,
              ("microsoftDefenderForDatabases", "microsoftDefenderForDNS", "microsoftDefenderForNetwork"), ("T1190",), ("ip", "url"),
              "A statement with a faulty form reached the database."),
        ),
    ),
    Story(
        "Business email compromise: suspicious inbox rule & message forwarding",
        (
            A("Suspicious inbox manipulation rule", "DefenseEvasion", _XDR, ("microsoft365Defender", "cloudAppSecurity"), ("T1564.008",),
              ("user", "mailbox", "ip"), "A rule hides messages from the user."),
            A("BEC financial fraud", "Impact", _XDR, ("microsoft365Defender",), ("T1534",), ("user", "analyzedMessage"),
              "A mail thread was taken over to change payment details."),
        ),
    ),
    Story(
        "Alert of a partner product",
        (
            A("Alert of a partner product", "SuspiciousActivity", _UNK, ("unknown", "manual"), (), ("ip",),
              "A partner product raised an alert."),
            A("Policy violation reported by a partner product", "SuspiciousActivity", _UNK, ("unknown",), (), ("user",),
              "A partner product raised an alert."),
        ),
    ),
)  # fmt: skip

FILE_NAMES: Final = (
    "invoice_2026.xlsm",
    "update.exe",
    "svch0st.exe",
    "payload.dll",
    "Gehaltsübersicht.docm",
    "q3-report.pdf.lnk",
    "run.ps1",
)
COMMAND_LINES: Final = (
    'powershell.exe -NoProfile -EncodedCommand "SQBFAFgA"',
    "wmic.exe /node:FILESRV01 process call create cmd.exe",
    "rundll32.exe payload.dll,Start",
    'cmd.exe /c "vssadmin delete shadows /all /quiet"',
)
SUBJECTS: Final = ("Your invoice is overdue", "Paßwort läuft ab", "Shared document: Q3 forecast", "Voicemail from +1 555 0100")
COMMENTS: Final = (
    "Device isolated, waiting for the owner.",
    "Called the user; the sign-in was theirs.",
    "Mail purged from 12 mailboxes.",
    "Escalated to tier 2.",
    'Rückfrage beim Kunden: "geplanter Test?"',
    "Closing, see ticket 4711.",
)
TAGS: Final = ("VIP", "Tier-1", "Ransomware", "needs review", "Prüfung", "Finance, HR", "Partner")
SYSTEM_TAGS: Final = ("Defender Experts", "Attack disruption", "Critical asset")
ANALYSTS: Final = ("soc-tier1@contoso.com", "soc-tier2@contoso.com", "night.shift@contoso.com", "o'brien@fabrikam.com")
FIRST_NAMES: Final = (
    "Adele",
    "Alex",
    "Diego",
    "Grady",
    "Isaiah",
    "Johanna",
    "Joni",
    "Lee",
    "Lidia",
    "Lynne",
    "Megan",
    "Miriam",
    "Nestor",
    "Pradeep",
)
LAST_NAMES: Final = (
    "Vance",
    "Wilber",
    "Siciliani",
    "Archie",
    "Langer",
    "Lorenz",
    "Sherman",
    "Gu",
    "Holloway",
    "Robbins",
    "Bowen",
    "Graham",
    "Wilke",
)
APPS: Final = (
    "Contoso Mail Sync",
    "Northwind Backup",
    "Fabrikam Reporting",
    "Tailspin Calendar Helper",
    "Litware CRM Connector",
    "Proseware Notes",
)
CLOUD_APPS: Final = (
    ("Microsoft SharePoint Online", 20892),
    ("Microsoft Exchange Online", 20893),
    ("Microsoft Azure", 12260),
    ("Box", 10489),
)
COUNTRIES: Final = ("US", "DE", "GB", "NL", "BR", "VN", "NG", "AU")
