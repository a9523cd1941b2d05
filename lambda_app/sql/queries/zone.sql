-- time_zone --
SELECT lambda.time_zone();

-- today --
SELECT lambda.today();
