package client

import (
	"time"

	"google.golang.org/protobuf/proto"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func validateTopUpPolicy(k *ballastv1.SetTopUpPolicy) error {
	if err := checkAccount("set_top_up_policy.account", k.GetAccount()); err != nil {
		return err
	}
	if k.GetOff() {
		if !proto.Equal(k, &ballastv1.SetTopUpPolicy{Account: k.GetAccount(), Off: true}) {
			return invalidf("set_top_up_policy.off", "together with other fields, expected the account alone")
		}
		return nil
	}
	if source := k.GetSourceAccount(); source != "" {
		if source == k.GetAccount() {
			return invalidf("set_top_up_policy.source_account", "%q is the account to top up, expected another one", source)
		}
		if err := checkAccount("set_top_up_policy.source_account", source); err != nil {
			return err
		}
	}
	if payment := k.GetPaymentReference(); payment != "" {
		if err := checkText("set_top_up_policy.payment_reference", payment, maxPaymentBytes); err != nil {
			return err
		}
	}
	return first(checkAmount("set_top_up_policy.threshold", k.GetThreshold()), checkTopUpAmount(k), checkTopUpCaps(k),
		checkSpan("set_top_up_policy.back_off", k.GetBackOff(), minBackOff, maxBackOff),
		checkSpan("set_top_up_policy.key_lifetime", k.GetKeyLifetime(), minKeyLifetime, maxKeyLifetime))
}

func checkTopUpAmount(k *ballastv1.SetTopUpPolicy) error {
	switch {
	case (k.GetAmount() == 0) == (k.GetTarget() == 0):
		return invalidf("set_top_up_policy.amount", "%d with a target of %d, expected one of them", k.GetAmount(), k.GetTarget())
	case k.GetAmount() < 0:
		return checkAmount("set_top_up_policy.amount", k.GetAmount())
	case k.GetTarget() != 0 && k.GetTarget() < k.GetThreshold():
		return invalidf("set_top_up_policy.target", "%d, expected at least the threshold, %d", k.GetTarget(), k.GetThreshold())
	}
	return nil
}

func checkTopUpCaps(k *ballastv1.SetTopUpPolicy) error {
	if c := k.GetCountCap(); c != nil {
		if err := checkSpan("set_top_up_policy.count_cap", c.GetWindow(), minCapWindow, maxCapWindow); err != nil {
			return err
		}
		if c.GetLimit() < 1 {
			return invalidf("set_top_up_policy.count_cap", "a limit of %d, expected at least 1", c.GetLimit())
		}
	}
	if c := k.GetSumCap(); c != nil {
		if err := checkSpan("set_top_up_policy.sum_cap", c.GetWindow(), minCapWindow, maxCapWindow); err != nil {
			return err
		}
		if least := max(1, k.GetAmount()); c.GetLimit() < least {
			return invalidf("set_top_up_policy.sum_cap", "a limit of %d, expected at least %d", c.GetLimit(), least)
		}
	}
	return nil
}

func validateSettlement(k *ballastv1.SettleTopUp) error {
	switch k.GetOutcome() {
	case ballastv1.TopUpOutcome_TOP_UP_OUTCOME_SUCCEEDED, ballastv1.TopUpOutcome_TOP_UP_OUTCOME_DECLINED, ballastv1.TopUpOutcome_TOP_UP_OUTCOME_UNKNOWN:
	default:
		return invalidf("settle_top_up.outcome", "%d, expected succeeded, declined or unknown", k.GetOutcome())
	}
	return checkText("settle_top_up.top_up", k.GetTopUp(), maxIDBytes)
}

// checkSpan checks a time in nanoseconds.
func checkSpan(field string, d, least, most int64) error {
	if d < least || d > most {
		return invalidf(field, "%s, expected %s to %s", time.Duration(d), time.Duration(least), time.Duration(most))
	}
	return nil
}
