SELECT * FROM loyalty.balances ORDER BY available DESC LIMIT 10;
SELECT booked_at, why, change, balance FROM loyalty.history WHERE member = '{member}' ORDER BY sequence;
SELECT kind, reason, count(*), sum(net) FROM loyalty.history GROUP BY kind, reason ORDER BY kind, reason;
SELECT kind, rule, awards, earned, reversed FROM loyalty.points_sources ORDER BY earned DESC;
SELECT tier, count(*), round(avg(qualifying)) FROM loyalty.tiers GROUP BY tier;
