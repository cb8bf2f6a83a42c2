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
INDUSTRIES = (
    "Energy", "Finance", "Food", "Health", "Hospitality", "Logistics", "Manufacturing", "Media", "Retail",
    "Software", "Tourism",
)  # fmt: skip
SKILLS = {
    "Programming": ("Python", "Go", "Java", "Rust", "TypeScript", "SQL", "C++"),
    "Data": ("PostgreSQL", "Pandas", "Airflow", "Tableau", "Statistics"),
    "Platform": ("Linux", "Kubernetes", "Terraform", "RabbitMQ", "Observability"),
    "Design": ("Figma", "Typography", "User Interviews", "Prototyping"),
    "Business": ("Negotiation", "Forecasting", "Accounting", "Payroll", "Contract Law"),
    "Languages": ("English", "French", "German", "Spanish", "Arabic", "Japanese"),
}
UNUSED_CATEGORIES = ("Fax Services", "Telegraphy", "Stenography", "Floppy Disks")
SERVICES = {
    "Programming": ("Code review", "API integration", "Performance audit"),
    "Data": ("Dashboard set-up", "Data cleaning", "Survey analysis"),
    "Design": ("Brand refresh", "Usability test", "Slide deck design"),
    "Business": ("Salary benchmark", "Bookkeeping month", "Contract check"),
    "Languages": ("Document translation", "Interview coaching"),
}
TEXTS = (
    "Thank you for the quick reply. Could we meet on Thursday?",
    "The figures look right to me, only the last page is missing.",
    "I have moved the deadline by a week, as discussed.",
    "Please have a look at the attached contract before Friday.",
    "Good news: the candidate has accepted.",
    "The invoice does not match the order; who can check it?",
    "Sounds good, let us do that.",
    "I am out of office until Monday and will answer then.",
)
SPAM = "WIN NOW http://win.example http://win2.example http://win3.example click click click"
LETTERS = (
    "I have followed your company for years and would love to contribute.",
    "My last team shipped a similar product; I know where it hurts.",
    "I am looking for a place where careful work counts.",
)
OPINIONS = (
    "Exactly what we needed.",
    "Good work, a little late.",
    "Friendly and precise.",
    "It was all right.",
    "",
)
PURPOSES = ("data processing", "talent pool", "marketing e-mail", "background check")
ONBOARDING = (
    ("Sign the contract", "employee"), ("Order a laptop", "hr"), ("Create accounts", "hr"),
    ("Plan the first week", "manager"), ("Safety training", "employee"), ("First feedback talk", "manager"),
)  # fmt: skip
NEWS = (
    "Hiring in hard times",
    "What candidates read first",
    "Five questions for a better interview",
    "The new payroll rules",
)
PATHS = ("/", "/jobs", "/candidates", "/reports", "/settings", "/employees", "/calendar", "/invoices")
SITE = ("/", "/pricing", "/features", "/customers", "/blog/hiring", "/download/guide")
GENDERS = (("woman", 46), ("man", 46), ("non-binary", 2), ("", 6))
ORIGINS = (("Africa", 12), ("Americas", 20), ("Asia", 24), ("Europe", 34), ("Oceania", 2), ("", 8))
