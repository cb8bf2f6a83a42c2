"""Words that the demo data is made of."""

from __future__ import annotations

FIRST = (
    "Amina", "Anders", "Aiko", "Bruno", "Camille", "Chen", "Chidi", "Clara", "Daniel", "Diego", "Elena",
    "Emeka", "Fatima", "Felix", "Freya", "Gabriel", "Giulia", "Hana", "Hugo", "Ines", "Isaac", "Ivana",
    "Jamal", "Jonas", "Julia", "Kamala", "Karim", "Katrin", "Lars", "Leila", "Liam", "Linh", "Lucia",
    "Magnus", "Maya", "Mehmet", "Mei", "Mina", "Nadia", "Nils", "Noor", "Olga", "Omar", "Paula", "Priya",
    "Rafael", "Rania", "Rosa", "Samir", "Sara", "Sofia", "Tariq", "Tomas", "Uma", "Victor", "Wanjiru",
    "Yara", "Yusuf", "Zoë", "Łukasz", "Åsa",
)  # fmt: skip
LAST = (
    "Abe", "Adeyemi", "Andersson", "Bauer", "Bianchi", "Boateng", "Castillo", "Chen", "Costa", "Dahl",
    "Diallo", "Dubois", "Eriksen", "Fernández", "Fischer", "García", "Haddad", "Hansen", "Ito", "Ivanova",
    "Jensen", "Kaya", "Keller", "Khan", "Kim", "Kowalski", "Kumar", "Larsen", "Lefèvre", "López", "Martin",
    "Mbeki", "Meyer", "Moreau", "Müller", "Nakamura", "Nguyen", "Novak", "Nowak", "O’Brien", "Okafor",
    "Olsen", "Park", "Patel", "Pereira", "Petrov", "Popescu", "Rossi", "Saito", "Santos", "Schmidt",
    "Silva", "Singh", "Tanaka", "Torres", "van-Dijk", "Vega", "Weber", "Wójcik", "Yilmaz", "Zhang",
)  # fmt: skip
COMPANY = (
    "Alder", "Amber", "Arc", "Atlas", "Basalt", "Beacon", "Birch", "Bluewater", "Bright", "Cedar", "Cobalt",
    "Copper", "Crescent", "Delta", "Ember", "Evergreen", "Falcon", "Fjord", "Granite", "Harbor", "Hazel",
    "Helix", "Horizon", "Indigo", "Iron", "Juniper", "Keystone", "Lantern", "Linden", "Lumen", "Maple",
    "Meridian", "Mosaic", "Nimbus", "North", "Nova", "Oak", "Olive", "Onyx", "Orchard", "Pioneer", "Quartz",
    "Raven", "Ridge", "River", "Saffron", "Sierra", "Silver", "Slate", "Solstice", "Summit", "Tidal",
    "Verde", "Vista", "Willow", "Zenith",
)  # fmt: skip
TRADE = (
    "Analytics", "Architects", "Biotech", "Cargo", "Care", "Clinics", "Consulting", "Design", "Electric",
    "Energy", "Foods", "Freight", "Games", "Health", "Hotels", "Insurance", "Labs", "Legal", "Logistics",
    "Media", "Mobility", "Motors", "Optics", "Pharma", "Robotics", "Schools", "Security", "Software",
    "Studios", "Systems", "Textiles", "Travel", "Water",
)  # fmt: skip
FORM = ("AB", "AG", "BV", "GmbH", "Inc.", "Ltd", "Oy", "Pty", "SA", "Srl")
PLACES = (
    ("Amsterdam", "NL"), ("Barcelona", "ES"), ("Berlin", "DE"), ("Casablanca", "MA"), ("Copenhagen", "DK"),
    ("Dublin", "IE"), ("Istanbul", "TR"), ("Lagos", "NG"), ("Lisbon", "PT"), ("London", "GB"), ("Lyon", "FR"),
    ("Milan", "IT"), ("Montréal", "CA"), ("Nairobi", "KE"), ("New York", "US"), ("Osaka", "JP"),
    ("Oslo", "NO"),
    ("Prague", "CZ"), ("São Paulo", "BR"), ("Singapore", "SG"), ("Stockholm", "SE"), ("Sydney", "AU"),
    ("Toronto", "CA"), ("Vienna", "AT"), ("Warsaw", "PL"), ("Zürich", "CH"),
)  # fmt: skip
POSITIONS = {
    "Engineering": (
        "Backend Engineer",
        "Data Engineer",
        "Frontend Engineer",
        "QA Engineer",
        "Site Reliability Engineer",
    ),
    "Sales": ("Account Executive", "Key Account Lead", "Sales Development Representative"),
    "Marketing": ("Brand Designer", "Content Writer", "Growth Marketer"),
    "Finance": ("Accountant", "Controller", "Payroll Specialist"),
    "People": ("HR Generalist", "Recruiter", "Talent Partner"),
    "Operations": ("Logistics Planner", "Office Coordinator", "Operations Analyst", "Warehouse Lead"),
    "Support": ("Customer Support Agent", "Implementation Consultant", "Support Engineer"),
    "Product": ("Product Designer", "Product Owner", "UX Researcher"),
}
LEVELS = ("", "", "", "Junior ", "Senior ", "Senior ", "Lead ")
AGENTS = (
    "Firefox on Windows", "Firefox on Linux", "Chrome on Windows", "Chrome on Android", "Safari on macOS",
    "Safari on iPhone", "Edge on Windows",
)  # fmt: skip
ACTIONS = {
    "login": "session", "logout": "session", "application.moved": "application",
    "application.viewed": "application",
    "candidate.viewed": "candidate", "candidate.exported": "candidate", "document.signed": "document",
    "employee.updated": "employee", "job.published": "job", "job.updated": "job", "role.changed": "user",
    "settings.changed": "tenant", "timeoff.approved": "request",
}  # fmt: skip
FILES = (
    "candidates-export.csv",
    "cv-upload.pdf",
    "invoice-preview.pdf",
    "payroll-import.xlsx",
    "report.html",
)
