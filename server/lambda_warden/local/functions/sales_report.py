"""Report a year's sales: a large answer."""


def handler(event, context):
    year = event.get("year", 2025)
    rows = [
        {
            "day": f"{year}-{month:02}-{day:02}",
            "region": region,
            "orders": (day * 7 + month * 3) % 90,
            "revenue": round((day * 131 + month * 17) * 1.19, 2),
        }
        for month in range(1, 13)
        for day in range(1, 29)
        for region in ("north", "south", "east", "west")
    ]
    return {"year": year, "currency": "EUR", "rows": rows, "total": round(sum(row["revenue"] for row in rows), 2)}
